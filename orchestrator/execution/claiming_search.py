"""Hand out to Ray Tune the trials that this job claims, while other jobs train the rest."""

from collections.abc import Callable, Sequence
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from orchestrator.execution.callbacks import trial_id
from orchestrator.execution.claims import Claims
from orchestrator.plan.trial import PlannedTrial


class ClaimingSearch(Searcher):
    """Give Tune one claimed trial after the other, as it has places for them, until all of ``trials`` have ended.

    ``order`` turns a trial into its runner's order; ``expected`` is called with the id of each that starts; ``set_idle``
    when none can be had, with whether all have ended; ``is_stopping`` says that the user wants the run to end. A trial waits
    until it ``is_due``.
    """

    def __init__(
        self,
        claims: Claims,
        trials: Sequence[PlannedTrial],
        order: Callable[[PlannedTrial], dict[str, Any]],
        expected: Callable[[str], None],
        set_idle: Callable[[bool], None],
        is_stopping: Callable[[], bool],
        is_due: Callable[[PlannedTrial], bool] = lambda trial: True,
    ) -> None:
        super().__init__()
        self._is_due = is_due
        self._claims, self._trials, self._order = claims, trials, order
        self._expected, self._set_idle, self._is_stopping = expected, set_idle, is_stopping
        self._live: set[str] = set()  # Tune's ids of trials without an end

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles this with the experiment's settings."""
        return {}

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        """Accept Tune's settings."""
        return True

    def suggest(self, trial_id: str) -> Any:
        """Return a trial, ``None`` while those that are left are trained, here or elsewhere, ``FINISHED`` at the end."""
        # Tune waits inside one step while it has no trial, so that its stopper does not see an interruption.
        due = [trial for trial in self._trials if self._is_due(trial)]
        trial = None if self._is_stopping() else self._claims.take(due)
        if trial is None:
            held = len(due) < len(self._trials)
            over = self._is_stopping() or not (self._claims.waits or self._live or held)
            self._set_idle(over)
            return Searcher.FINISHED if over else None
        self._live.add(trial_id)
        self._expected(trial.id)
        return {"planned": self._order(trial)}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Note the end of a trial."""
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the store is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the store is the state."""


class Releaser(tune.Callback):
    """Call ``ended`` with the id of each trial that Tune trains no more, its last result, and its error."""

    def __init__(self, ended: Callable[[str, dict[str, Any], Exception | None], None]) -> None:
        self._ended = ended

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles its callbacks with the experiment's state."""
        return {}

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Release a trial that reports no more."""
        self._ended(trial_id(trial), trial.last_result or {}, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Release a trial that Tune gives up."""
        self._ended(trial_id(trial), trial.last_result or {}, trial.get_error())
