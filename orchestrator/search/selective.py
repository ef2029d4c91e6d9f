"""Leave some trials of a sweep to themselves: no scheduler compares or stops them."""

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import TrialScheduler


class SelectiveScheduler(TrialScheduler):
    """Pass a trial's events on to another scheduler if it ``judges`` the trial, by our id; others run to their ends."""

    def __init__(self, scheduler: Any, judges: Callable[[str], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._scheduler, self._judges = scheduler, judges

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles this with the experiment's settings."""
        return {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accept Tune's settings."""
        return bool(self._scheduler.set_search_properties(metric, mode, **spec))

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Add a trial."""
        if self._has(trial):
            self._scheduler.on_trial_add(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Handle a crash."""
        if self._has(trial):
            self._scheduler.on_trial_error(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return the decision about the trial."""
        if not self._has(trial):
            return TrialScheduler.CONTINUE
        return str(self._scheduler.on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Complete a trial."""
        if self._has(trial):
            self._scheduler.on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Remove a waiting trial that was stopped."""
        if self._has(trial):
            self._scheduler.on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the trial that runs next, of all."""
        return self._scheduler.choose_trial_to_run(tune_controller)

    def debug_string(self) -> str:
        """Return the scheduler's own summary."""
        return str(self._scheduler.debug_string())

    def _has(self, trial: Any) -> bool:
        return self._judges(str(trial.config["planned"]["id"]))
