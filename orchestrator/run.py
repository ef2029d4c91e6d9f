"""Run a plan: the teacher first, then the students that are not finished yet; keep MLflow up to date."""

import logging
import queue
import threading
from collections.abc import Sequence
from typing import Any

from orchestrator.errors import OperationError
from orchestrator.interruption import Interruption
from orchestrator.plan import Plan, PlannedTrial, refreshed
from orchestrator.store import Store
from orchestrator.sweep import Watcher, run_trials, start_ray, stop_ray
from orchestrator.tracking.tracker import Tracker, first_line
from trainers.spec.record import OUTCOME, read_outcome

log = logging.getLogger(__name__)
TO_RUN = ("new", "unfinished", "failed")


def run_plan(
    plan: Plan,
    store: Store,
    tracker: Tracker,
    watchers: Sequence[Watcher],
    address: str | None,
    interruption: Interruption | None = None,
) -> None:
    """Train what the plan still lacks and end with MLflow complete, also when the run ends early.

    Raises ``OperationError`` when the teacher fails; a failed student is an outcome, not an error.
    """
    pending = [trial for trial in plan.trials if refreshed(trial).status in TO_RUN]
    copier = Copier(tracker, plan.trials)
    try:
        if pending:
            _train(plan, pending, store, [copier, *watchers], address, interruption or Interruption())
    finally:
        copier.close()
        for trial in plan.trials:
            if refreshed(trial).status != "new":
                tracker.sync(trial)
        tracker.finish()


def _train(
    plan: Plan,
    pending: list[PlannedTrial],
    store: Store,
    watchers: Sequence[Watcher],
    address: str | None,
    interruption: Interruption,
) -> None:
    for trial in pending:
        (trial.directory / OUTCOME).unlink(missing_ok=True)  # a failed trial is tried again
    try:
        start_ray(address)
        if plan.teacher in pending:
            run_trials(plan, [plan.teacher], watchers, store.tune_dir, interruption=interruption)
            require_teacher(plan.teacher)
        students = [trial for trial in pending if trial.role == "student"]
        if students:
            run_trials(plan, students, watchers, store.tune_dir, interruption=interruption)
    finally:
        stop_ray()


def require_teacher(teacher: PlannedTrial) -> None:
    """Raise ``OperationError`` unless the teacher is finished: no student is started without it."""
    outcome = read_outcome(teacher.directory)
    if outcome is None or outcome.status != "finished":
        reason = outcome.reason if outcome else "it did not end"
        raise OperationError(f"the teacher ({teacher.id}) failed, no student was started: {reason}")


class Copier:
    """Bring MLflow up to date from a thread of its own, so that neither Tune nor training waits for it."""

    def __init__(self, tracker: Tracker, trials: Sequence[PlannedTrial]) -> None:
        self._tracker = tracker
        self._trials = {trial.id: trial for trial in trials}
        self._changed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._copy, name="mlflow-copier", daemon=True)
        self._thread.start()

    def started(self, trial_id: str) -> None:
        """Let the trial appear in MLflow."""
        self._changed.put(trial_id)

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Copy the trial's new record."""
        self._changed.put(trial_id)

    def ended(self, trial_id: str) -> None:
        """Copy the trial's outcome."""
        self._changed.put(trial_id)

    def close(self) -> None:
        """Copy what is queued and end the thread."""
        self._changed.put(None)
        self._thread.join()

    def _copy(self) -> None:
        while (trial_id := self._changed.get()) is not None:
            try:
                self._tracker.sync(self._trials[trial_id])
            except Exception as error:  # noqa: BLE001  nothing is lost: the end of the run copies again, and raises
                log.warning("MLflow is behind: %s", first_line(error))
