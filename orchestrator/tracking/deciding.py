"""Decide which record of a trial counts: the store's, and MLflow's for a trial of which the store has none.

The store holds the weights, so it alone decides which trials remain. Every command that tells the state of trials asks
here, and says in the same sentence where MLflow has more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.result import TrialResult
from orchestrator.tracking.names import named
from trainers.schema.status import has_ended, is_over


@dataclass
class Deciding:
    """Hold the result of each trial that counts, and the trials about which the two records differ.

    ``lacking`` in MLflow are trials that are further in the store; ``cut_back`` are those that are further in MLflow,
    ``retrained`` those that ended with other numbers there, ``absent`` those that only MLflow has. ``damaged`` says which files of the store cannot be read.
    """

    results: list[TrialResult] = field(default_factory=list)
    lacking: list[PlannedTrial] = field(default_factory=list)
    cut_back: list[PlannedTrial] = field(default_factory=list)
    retrained: list[PlannedTrial] = field(default_factory=list)
    absent: list[PlannedTrial] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def add(self, trial: PlannedTrial, kept: TrialResult | None, recorded: TrialResult) -> None:
        """Choose between the store's record ``kept`` of a trial (``None`` if it has none) and MLflow's."""
        if kept is None:
            self._add_absent(trial, recorded)
            return
        self.results.append(kept)
        if recorded.mlflow_run_id is not None and _order(kept) == _order(recorded):
            if _has_other_numbers(kept, recorded):
                self.retrained.append(trial)
        elif _is_cut_back(kept, recorded):
            self.cut_back.append(trial)
        elif holds_results(kept):
            self.lacking.append(trial)

    def _add_absent(self, trial: PlannedTrial, recorded: TrialResult) -> None:
        """Take MLflow's record; a run that has neither an epoch nor an end belongs to a trial that has just begun."""
        is_record = recorded.epoch is not None or has_ended(recorded.status)
        self.results.append(recorded if is_record else replace(recorded, status="new"))
        if is_record:
            self.absent.append(trial)

    def add_damaged(self, message: str, recorded: TrialResult) -> None:
        """Take MLflow's record of a trial whose record in the store cannot be read."""
        self.results.append(recorded)
        self.damaged.append(message)

    @property
    def of_the_store(self) -> set[str]:
        """Return the ids of trials whose numbers differ from MLflow's, for the store's count."""
        return {trial.id for trial in (*self.lacking, *self.cut_back, *self.retrained)}

    @property
    def sentences(self) -> list[str]:
        """List the trials that MLflow has more of, which record counts, and how ``run`` treats them."""
        about = (*_about_cut_back(self.cut_back), *_about_retrained(self.retrained), *_about_absent(self.absent))
        return [*self.damaged, *about]


def _about_cut_back(trials: Sequence[PlannedTrial]) -> list[str]:
    says = "the store's record counts, and stillhouse run goes by it"
    return [f"MLflow has more of {named(trials)} than the store: {says}"] if trials else []


def _about_retrained(trials: Sequence[PlannedTrial]) -> list[str]:
    says = "the store's record counts; once such a run is deleted in MLflow, stillhouse sync STUDY writes it anew"
    return [f"MLflow has other numbers of {named(trials)}, from an earlier training: {says}"] if trials else []


def _about_absent(trials: Sequence[PlannedTrial]) -> list[str]:
    says = "numbers come from MLflow, and stillhouse run retrains the trials that --mirror does not restore"
    return [f"only MLflow has a record of {named(trials)}, the store has no weights: {says}"] if trials else []


def holds_results(result: TrialResult) -> bool:
    """Return whether there is something to deliver: an epoch, or the end of a trial that had begun to train."""
    return result.epoch is not None or result.status in ("finished", "failed")


def _order(result: TrialResult) -> tuple[int, str]:
    """Return the last epoch and the end; a pause is neither, and MLflow hears of it later."""
    return -1 if result.epoch is None else result.epoch, result.status if has_ended(result.status) else ""


def _is_cut_back(kept: TrialResult, recorded: TrialResult) -> bool:
    """Return whether MLflow knows more: further epochs, or the end of a trial that goes on in the store.

    A failed trial goes on whenever it is tried again.
    """
    (ours, state), (theirs, end) = _order(kept), _order(recorded)
    return theirs > ours or (theirs == ours and is_over(end) and not has_ended(state))


def _has_other_numbers(kept: TrialResult, recorded: TrialResult) -> bool:
    """Return whether a trial that has ended was trained again: a point that MLflow has already is not sent once more."""
    shared = kept.last.keys() & recorded.last.keys() if has_ended(kept.status) else ()
    pairs = [(kept.last[key], recorded.last[key]) for key in shared]
    return any(not math.isclose(*pair) for pair in pairs if all(map(math.isfinite, pair)))
