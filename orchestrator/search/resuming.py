"""Start trials of a running sweep again that their user paused, or that failed, when the user asks for it."""

import time
from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import TrialScheduler

from orchestrator.search.scheduler import TIME
from trainers.schema.request import Request, carry_out, read_request

LOOK_EVERY_S = 0.5  # a look at the directory of each trial that waits, which may lie on a network
AGAIN = (Request.RESUME, Request.RETRY, Request.STOP)  # one to be stopped ends at once: search and scheduler hear of it

Restart = Callable[[Any, Any, Any], bool]


class ResumingScheduler(TrialScheduler):
    """Leave all decisions to another scheduler; remember trials that ended without a last record, and start them again.

    Ray Tune knows such a trial as ended, so its place is free. ``restart`` receives Tune's controller, its ended trial
    and the one that is ending now if there is one, and returns whether there was a place. Tune calls all methods from
    one thread.
    """

    def __init__(self, scheduler: Any, restart: Restart) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._scheduler, self._restart = scheduler, restart
        self._waiting: dict[str, Any] = {}  # Tune's ended trials, by our ids
        self._looked = 0.0

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles this with the experiment's settings."""
        return {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accept Tune's settings."""
        return bool(self._scheduler.set_search_properties(metric, mode, **spec))

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Add a trial."""
        self._scheduler.on_trial_add(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Handle a crash; a trial that Tune does not start again by itself may be tried again."""
        self._scheduler.on_trial_error(tune_controller, trial)
        if trial.status != "ERROR":
            self._waiting[_id(trial)] = trial
            self._look(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return the decision about the trial."""
        return str(self._scheduler.on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Complete a trial, and remember one whose last result is no record: it failed, or it was asked to leave."""
        self._scheduler.on_trial_complete(tune_controller, trial, result)
        if not result.get(TIME):
            self._waiting[_id(trial)] = trial
        self._look(tune_controller, trial)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Remove a waiting trial that was stopped."""
        self._scheduler.on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Start trials again if their users ask for it, then return the trial that the scheduler chooses."""
        if self._waiting and time.monotonic() - self._looked >= LOOK_EVERY_S:
            self._look(tune_controller, None)
        return self._scheduler.choose_trial_to_run(tune_controller)

    def debug_string(self) -> str:
        """Return the scheduler's own summary."""
        return str(self._scheduler.debug_string())

    def _look(self, tune_controller: Any, ending: Any) -> None:
        # Without a pause after an end: after the last active trial, Tune asks once more at most.
        self._looked = 0.0 if ending is not None else time.monotonic()
        for trial_id, trial in list(self._waiting.items()):
            directory = trial.config["planned"]["directory"]
            request = read_request(directory)
            if trial is not ending and request in AGAIN and self._restart(tune_controller, trial, ending):
                del self._waiting[trial_id]
                if request is not Request.STOP:
                    carry_out(directory)


def _id(trial: Any) -> str:
    return str(trial.config["planned"]["id"])
