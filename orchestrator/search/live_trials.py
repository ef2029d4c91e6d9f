"""Look through the trials of a sweep that have not ended, which are few, and not through the thousands that have."""

from collections.abc import Iterator, Sequence
from typing import Any

from ray.tune.schedulers import FIFOScheduler

ENDED = "TERMINATED"  # for good: a trial with an error may go on, and one that is tried anew is another object


class LiveTrials:
    """Follow Tune's list of trials, which only grows."""

    def __init__(self) -> None:
        self._live: list[Any] = []
        self._known = 0

    def of(self, trials: Sequence[Any]) -> list[Any]:
        """Return those of ``trials`` that have not ended, in their order; each that has ended is looked at once."""
        self._live = [trial for trial in (*self._live, *trials[self._known :]) if trial.status != ENDED]
        self._known = len(trials)
        return self._live


class InOrder(FIFOScheduler):
    """Start trials in their order and stop none: Tune's own such scheduler looks through all trials at each step."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._trials = LiveTrials()

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the first trial that waits for its start, else the first that is paused."""
        live = self._trials.of(tune_controller.get_trials())
        return next((trial for status in ("PENDING", "PAUSED") for trial in _with(status, live)), None)


def _with(status: str, trials: Sequence[Any]) -> Iterator[Any]:
    return (trial for trial in trials if trial.status == status)
