"""Hand out planned trials to Ray Tune as they are due, then those that an open search or a race proposes."""

from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.search import Searcher

from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.race import Race
from orchestrator.search.suggestions import Suggestions
from trainers.schema.record import read_status
from trainers.schema.status import has_ended


class PlannedSearch(Searcher):
    """Give Tune one trial after the other: ``first`` the known ones, then those of ``suggestions``.

    ``suggestions`` is ``None`` where all trials are known. ``order`` turns a trial into its runner's order; ``discovered``
    receives each new trial before it starts; ``set_idle`` is called when no trial is available, with whether the search is over.
    A known trial waits until it ``is_due``, as long as others are trained. ``all_at_once`` says that no bound applies: the
    scheduler has to know all trials from the beginning.
    """

    def __init__(
        self,
        first: Sequence[PlannedTrial],
        suggestions: Suggestions | Race | None,
        order: Callable[[PlannedTrial], dict[str, Any]],
        discovered: Callable[[PlannedTrial], None],
        set_idle: Callable[[bool], None],
        is_due: Callable[[PlannedTrial], bool] = lambda trial: True,
        *,
        all_at_once: bool = False,
    ) -> None:
        super().__init__()
        self._is_due, self._all_at_once = is_due, all_at_once
        self._first, self._suggestions = list(first), suggestions
        self._order, self._discovered, self._set_idle = order, discovered, set_idle
        self._given: dict[str, PlannedTrial] = {}
        self._live: set[str] = set()  # Tune's ids of trials without an end
        self.over = False  # whether Tune was told that no trial will come

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles this with the experiment's settings."""
        return {}

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        """Accept Tune's settings."""
        return True

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Return whether Tune is to leave the bound to this search."""
        return self._all_at_once

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial, ``None`` while results are waited for, ``FINISHED`` at the end."""
        trial = self._next()
        if trial is None:
            # Without a live trial there is no result to wait for: those that are left are paused.
            proposes = self._suggestions is not None and not self._suggestions.over
            self.over = not self._live or not (self._first or proposes)
            self._set_idle(self.over)
            return Searcher.FINISHED if self.over else None
        self._given[trial_id] = trial
        self._live.add(trial_id)
        return {"planned": self._order(trial)}

    def give_again(self, trial_id: str) -> None:
        """Hand out a trial once more, by our id: behind the known ones that had no place yet, before any that is proposed."""
        self._first.append(next(trial for trial in self._given.values() if trial.id == trial_id))

    def _next(self) -> PlannedTrial | None:
        due = next((number for number, trial in enumerate(self._first) if self._is_due(trial)), None)
        if due is None and self._first and not self._live:  # nobody is there whom it could wait for
            due = 0
        if due is not None:
            return self._first.pop(due)
        for trial in self._suggestions.ask(1) if self._suggestions is not None and not self._first else ():
            self._discovered(trial)
            return trial
        return None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Handle the end of a trial; one that was interrupted or paused has not ended."""
        trial = self._given.get(trial_id)
        if trial is None:  # Tune got it as a new trial after the search was over
            return
        self._live.discard(trial_id)
        asked_to_stop = result is not None and not result.get("epoch") and not result.get("failed_because")
        if self._suggestions is not None and (error or not asked_to_stop or has_ended(read_status(trial.directory))):
            self._suggestions.on_trial_complete(trial.id)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the log of the search is its state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: constructing ``Suggestions`` repeats the log."""
