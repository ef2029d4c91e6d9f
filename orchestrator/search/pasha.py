"""Stop weak trials early, and train the others no longer than their order is in doubt (PASHA, arXiv:2207.06940)."""

from collections.abc import Iterable
from typing import Any

from ray.tune.schedulers import TrialScheduler

from orchestrator.search.soft_ranking import Noise, by_score, ranks_alike
from orchestrator.search.trial_state import TrialState
from orchestrator.study.schema import Pasha

CONTINUE, PAUSE, STOP = TrialScheduler.CONTINUE, TrialScheduler.PAUSE, TrialScheduler.STOP


class PashaScheduler:
    """Promote trials from rung to rung; the top rung rises only while it ranks trials otherwise than the one below.

    A trial pauses at each rung until it is among the best 1 / ``reduction_factor`` there. When all of ``expected`` pause
    and none may go on, the best ``finalists`` of them and those that the soft ranking holds equal to the best go on to
    their ends. When they have ended, the others are stopped.

    All decisions follow from the results and their order. The scheduler keeps no clock and draws nothing, so a process that
    repeats the results comes to the same state. Its methods are those of Tune's schedulers; trials are told apart by
    name.
    """

    def __init__(self, rule: Pasha, longest: int, expected: Iterable[str], *, time: str, metric: str) -> None:
        self._count = rule.finalists or 1
        self._factor, self._percentile = rule.reduction_factor, rule.percentile
        self._time, self._metric = time, metric
        self.levels = levels(rule.grace_epochs, rule.reduction_factor, longest)
        self.top = min(1, len(self.levels) - 1)
        self._rungs: list[dict[str, float]] = [{} for _ in self.levels]
        self._promoted: list[set[str]] = [set() for _ in self.levels]
        self._noise = Noise(self._percentile)
        self._curves: dict[str, dict[int, float]] = {}
        self._expected = set(expected)
        self._live: dict[str, TrialState] = {}
        self._waiting: set[str] = set()
        self._going: set[str] = set()  # may go on, and have not reported since
        self._final: set[str] = set()  # go on to their ends
        self._lost: set[str] = set()  # failed, or were stopped
        self._concluding = False

    def on_trial_add(self, tune_controller: Any, trial: TrialState) -> None:
        """Add a trial."""
        self._live[trial.trial_id], self._curves[trial.trial_id] = trial, {}
        self._expected.discard(trial.trial_id)

    def on_trial_result(self, tune_controller: Any, trial: TrialState, result: dict[str, Any]) -> str:
        """Return whether a trial goes on at once, waits, or has lost."""
        name = trial.trial_id
        self._going.discard(name)
        self._waiting.discard(name)
        if not self._note(name, result) or name in self._final:
            return CONTINUE
        self._waiting.add(name)
        self._promote()
        if name not in self._going:
            self._conclude(tune_controller, name)
        if name in self._going:
            self._going.discard(name)
            return CONTINUE
        return PAUSE if name in self._waiting else STOP

    def on_trial_complete(self, tune_controller: Any, trial: TrialState, result: dict[str, Any]) -> None:
        """Note the last result of a trial that is over."""
        if self._metric in result:
            self._note(trial.trial_id, result)
        self._leave(tune_controller, trial)

    def on_trial_remove(self, tune_controller: Any, trial: TrialState) -> None:
        """Forget a trial that failed or was stopped; its scores stay in the rungs that it came to."""
        self._lost.add(trial.trial_id)
        self._leave(tune_controller, trial)

    def urgency(self, trial: TrialState) -> tuple[int, float] | None:
        """Return the rung and the score of a paused trial that may go on, highest first; ``None`` while it waits."""
        name = trial.trial_id
        rung = self._rung_of(name)
        return (rung, self._rungs[rung][name]) if name in self._going else None

    def debug_string(self) -> str:
        """Return how many trials came to each rung."""
        sizes = ", ".join(f"epoch {level}: {len(rung)}" for level, rung in zip(self.levels, self._rungs, strict=True))
        return f"Using PASHA: top rung at epoch {self.levels[self.top]}; {sizes}"

    def _leave(self, tune_controller: Any, trial: TrialState) -> None:
        for names in (self._waiting, self._going):
            names.discard(trial.trial_id)
        self._live.pop(trial.trial_id, None)
        if not self._concluding:
            self._promote()
            self._conclude(tune_controller)

    def _note(self, name: str, result: dict[str, Any]) -> bool:
        """Record a score; return whether the trial has come to its next rung with it."""
        epoch, score = result[self._time], result[self._metric]
        self._curves[name][epoch] = score
        reached = self._rung_of(name) + 1
        if reached == len(self.levels) or epoch < self.levels[reached]:
            return False
        self._rungs[reached][name] = score
        if reached == self.top:
            self._noise.add(self._curves[name])
            self._raise_if_in_doubt()
        return True

    def _rung_of(self, name: str) -> int:
        """Return the number of the highest rung that a trial has come to, -1 for none."""
        return next((k for k in reversed(range(len(self.levels))) if name in self._rungs[k]), -1)

    def _raise_if_in_doubt(self) -> None:
        if 0 < self.top < len(self.levels) - 1 and not ranks_alike(
            self._rungs[self.top], self._rungs[self.top - 1], self._noise.epsilon
        ):
            self.top += 1
            self._noise = Noise(self._percentile)

    def _promote(self) -> None:
        """Let the best of each rung below the top one go on."""
        for rung, promoted in zip(self._rungs[: self.top], self._promoted[: self.top], strict=True):
            best = set(by_score(rung)[: len(rung) // self._factor]) - promoted
            promoted |= best
            self._release(best)

    def _release(self, names: set[str]) -> None:
        self._going |= names & self._waiting
        self._waiting -= names

    def _conclude(self, tune_controller: Any, reporting: str | None = None) -> None:
        """Choose who goes on to the end once all wait; stop all once those have ended."""
        if self._expected or len(self._waiting) < len(self._live):
            return
        finalists = self._finalists() & self._waiting
        self._final |= finalists
        self._release(finalists)
        if not finalists:
            self._stop_all(tune_controller, reporting)

    def _finalists(self) -> set[str]:
        """Return the trials that came furthest, by their scores there, and those of the top rung level with the best."""
        found: list[str] = []
        for rung in reversed(self._rungs):
            found += [name for name in by_score(rung) if name not in self._lost and name not in found]
        level = {name: score for name, score in self._rungs[self.top].items() if name not in self._lost}
        best = max(level.values(), default=0.0)
        return {*found[: self._count], *(name for name, score in level.items() if best - score <= self._noise.epsilon)}

    def _stop_all(self, tune_controller: Any, reporting: str | None) -> None:
        self._concluding = True
        for name in sorted(self._waiting):
            self._waiting.discard(name)
            if name != reporting:  # the one that reports is told so by the answer
                tune_controller.stop_trial(self._live[name])
        self._concluding = False


def levels(grace: int, factor: int, longest: int) -> list[int]:
    """Return the epochs of the rungs: ``grace``, then each ``factor`` times the one before, and the end."""
    found = []
    while grace < longest:
        found.append(grace)
        grace *= factor
    return [*found, longest]
