"""Hand out planned trials to Ray Tune, then those that an open search proposes."""

from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.search import Searcher

from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.suggestions import Suggestions
from trainers.schema.record import read_status


class PlannedSearch(Searcher):
    """Give Tune one trial after the other: ``first`` the known ones, then those of ``suggestions``.

    ``order`` turns a trial into its runner's order; ``discovered`` receives each new trial before it starts;
    ``set_idle`` is called when no trial is available, with whether the search is over.
    """

    def __init__(
        self,
        first: Sequence[PlannedTrial],
        suggestions: Suggestions,
        order: Callable[[PlannedTrial], dict[str, Any]],
        discovered: Callable[[PlannedTrial], None],
        set_idle: Callable[[bool], None],
    ) -> None:
        super().__init__()
        self._first, self._suggestions = list(first), suggestions
        self._order, self._discovered, self._set_idle = order, discovered, set_idle
        self._given: dict[str, PlannedTrial] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles this with the experiment's settings."""
        return {}

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        """Accept Tune's settings."""
        return True

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial, ``None`` while results are waited for, ``FINISHED`` at the end."""
        trial = self._next()
        if trial is None:
            over = self._suggestions.over
            self._set_idle(over)
            return Searcher.FINISHED if over else None
        self._given[trial_id] = trial
        return {"planned": self._order(trial)}

    def _next(self) -> PlannedTrial | None:
        if self._first:
            return self._first.pop(0)
        for trial in self._suggestions.ask(1):
            self._discovered(trial)
            return trial
        return None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Handle the end of a trial; one that was only asked to stop has not ended."""
        trial = self._given[trial_id]
        asked_to_stop = result is not None and not result.get("epoch") and not result.get("failed_because")
        if error or not asked_to_stop or read_status(trial.directory) == "failed":
            self._suggestions.on_trial_complete(trial.id)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the log of the search is its state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: constructing ``Suggestions`` repeats the log."""
