"""Copy trials to MLflow from a thread of its own: training waits for nothing, an outage is waited out."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from orchestrator.core.redact import first_line
from orchestrator.plan.trial import PlannedTrial, status_of
from orchestrator.tracking.backoff import Backoff
from orchestrator.tracking.faults import TrackingRefused, Unreachable
from orchestrator.tracking.tracker import Tracker

WAIT_S = 60.0  # how long the end of a run waits for a tracking store that does not answer
LONGEST_REQUEST_S = 600.0  # a request that hangs longer, with time-outs on all that can hang, is given up
LONGEST_PAUSE_AT_END_S = 2.0
REFUSALS = 3  # in a row: then the trial is left to its next record, or to the end of the run
FINISH = ""  # stands for the study itself among the trials
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """Hold the delivery status of a study in MLflow. ``waiting`` points of ``trials`` trials are on disk only."""

    complete: bool
    waiting: int = 0
    trials: int = 0
    reason: str = ""


class Flusher:
    """Drain trial directories into MLflow. A watcher of trials: its methods neither raise nor wait.

    While MLflow is away it is asked again and again, less and less often; that it went away and that it is back is
    logged once. The process may be killed at any moment: the next flusher asks MLflow how far it is. Flushers of several
    jobs deliver within ``turn``, one at a time: two could each create a run of the same trial.
    """

    def __init__(
        self,
        tracker: Tracker,
        trials: Sequence[PlannedTrial],
        backoff: Backoff | None = None,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._tracker, self._turn = tracker, turn
        self._trials = {trial.id: trial for trial in trials}
        self._changed: dict[str, None] = {}  # trials to look at, in order
        self._refused: dict[str, int] = {}
        self._told: set[str] = set()  # reasons of refusals; many trials have the same
        self._reason = ""
        self._closing = self._abandoned = False
        self._away_since: float | None = None
        self._heard, self._heard_of = time.monotonic(), 0  # when MLflow last took something, and how much by then
        self._backoff = backoff or Backoff()
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="mlflow-flusher", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Add the study's earlier trials from the start, also those that another study has trained."""
        for trial in self._begun():
            self._mark(trial.id)

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search."""
        with self._wake:
            self._trials[trial.id] = trial

    def started(self, trial_id: str) -> None:
        """Queue the trial for delivery to MLflow."""
        self._mark(trial_id)

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Copy the trial's new record."""
        self._mark(trial_id)

    def ended(self, trial_id: str) -> None:
        """Copy the trial's outcome."""
        self._mark(trial_id)

    def close(self, wait_s: float = WAIT_S) -> Delivery:
        """Copy all that is on disk and end the thread; wait for an MLflow that is away for ``wait_s`` at most."""
        begun = self._begun()
        with self._wake:
            self._refused.clear()
            self._changed = dict.fromkeys([*(trial.id for trial in begun), FINISH])
            self._closing = True
            self._heard = time.monotonic()
            self._wake.notify()
        self._await_end(wait_s)
        if not self._thread.is_alive() and not self._refused:
            return Delivery(complete=True)
        waiting = [points for trial in begun if (points := self._tracker.waiting(trial))]
        return Delivery(False, sum(waiting), len(waiting), self._reason)

    def _begun(self) -> list[PlannedTrial]:
        return [trial for trial in self._trials.values() if status_of(trial.directory) != "new"]

    def _await_end(self, wait_s: float) -> None:
        said = False
        while self._thread.is_alive() and self._quiet_s() < (
            wait_s if self._away_since else wait_s + LONGEST_REQUEST_S
        ):
            if self._away_since and not said:
                log.warning("waiting up to %.0f s for MLflow at %s", wait_s, self._tracker.address)
                said = True
            self._thread.join(0.1)
        self._abandoned = self._thread.is_alive()

    def _quiet_s(self) -> float:
        """Return for how long MLflow has taken nothing."""
        if self._tracker.sent != self._heard_of:
            self._heard, self._heard_of = time.monotonic(), self._tracker.sent
        return time.monotonic() - self._heard

    def _mark(self, trial_id: str) -> None:
        with self._wake:
            self._changed[trial_id] = None
            self._wake.notify()

    def _run(self) -> None:
        while (trial_id := self._next()) is not None:
            try:
                self._deliver(trial_id)
            except Unreachable as error:
                self._note_away(error)
                self._try_again(trial_id)
            except Exception as error:  # noqa: BLE001  the thread must live on: other trials are not refused
                self._note_refusal(trial_id, error)
            else:
                self._note_success(trial_id)

    def _next(self) -> str | None:
        """Return a trial that has changed; ``None`` when all is copied and no more will come."""
        with self._wake:
            while not self._changed and not self._closing:
                self._wake.wait()
            if not self._changed or self._abandoned:
                return None
            trial_id = next(iter(self._changed))
            del self._changed[trial_id]  # before it is read: what changes from now on marks it again
            return trial_id

    def _deliver(self, trial_id: str) -> None:
        with self._turn():
            if trial_id == FINISH:
                self._tracker.finish()
            else:
                self._tracker.sync(self._trials[trial_id])

    def _try_again(self, trial_id: str) -> None:
        """Queue a trial again, the study itself behind its trials, and pause."""
        with self._wake:
            again = {trial_id: None}
            self._changed = self._changed | again if trial_id == FINISH else again | self._changed
            pause_s = self._backoff.next_s(LONGEST_PAUSE_AT_END_S) if self._closing else self._backoff.next_s()
            if self._closing:
                self._wake.wait(pause_s)
            else:
                self._wake.wait_for(lambda: self._closing, pause_s)

    def _note_away(self, error: Unreachable) -> None:
        self._reason = first_line(error)
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("%s; training continues, and results wait in the trials' folders", self._reason)

    def _note_success(self, trial_id: str) -> None:
        self._backoff.reset()
        self._refused.pop(trial_id, None)
        self._heard = time.monotonic()
        if self._away_since is not None:
            log.info("MLflow at %s is back after %.0f s", self._tracker.address, self._heard - self._away_since)
            self._away_since = None

    def _note_refusal(self, trial_id: str, error: Exception) -> None:
        self._reason = first_line(error)
        refusals = self._count_refusal(trial_id, error)
        if self._reason not in self._told:
            self._told.add(self._reason)
            what = f"trial {trial_id}" if trial_id else "the study"
            log.warning("MLflow refuses %s: %s; results wait in the trials' folders", what, self._reason)
        if not isinstance(error, TrackingRefused) and refusals < REFUSALS:
            self._try_again(trial_id)

    def _count_refusal(self, trial_id: str, error: Exception) -> int:
        """Return how often a trial was refused; at the end of a run leave the others, if the same keeps all of them out.

        Both in one step: ``close`` forgets refusals and queues all trials, and one that came between the two would find
        neither a refusal nor a trial that waits.
        """
        with self._wake:
            self._refused[trial_id] = self._refused.get(trial_id, 0) + 1
            if self._closing and isinstance(error, TrackingRefused):
                self._changed.clear()
            return self._refused[trial_id]
