"""Handle Ray Tune's trial events: decide whether to retry a trial or end it."""

import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.exceptions import RayActorError

from orchestrator.execution.interruption import Interruption
from orchestrator.failures.retry import judge
from orchestrator.plan.budget import Budget
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.live_trials import LiveTrials
from orchestrator.worker_groups.capacity import RoomWait
from orchestrator.worker_groups.pool import Pool
from orchestrator.worker_groups.trainable import FAILED_BECAUSE
from trainers.schema import Job
from trainers.schema.events import Event, read_events
from trainers.schema.fence import is_fenced_off
from trainers.schema.record import Outcome, write_outcome
from trainers.schema.request import is_paused
from trainers.schema.sharing import stream_key
from trainers.schema.stop import request_stop

log = logging.getLogger(__name__)
PAUSED_S = 5.0  # without an active trial, while one is paused: the scheduler or the search needs less to start another


class Watcher(Protocol):
    """Receive trial events; must neither raise nor block, because Tune calls it inside its loop."""

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search."""

    def started(self, trial_id: str) -> None:
        """Handle the start of a trial."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Handle a record: epoch, metrics, and ``done``."""

    def ended(self, trial_id: str) -> None:
        """Handle the end of a trial's records."""


class Notifier(tune.Callback):
    """Pass Tune's events on to watchers, by our trial ids; judge trials whose process died and could not do it."""

    def __init__(self, watchers: Sequence[Watcher], plan: Plan, run: str, pool: Pool | None) -> None:
        self._watchers, self._run, self._pool = watchers, run, pool
        self._plan = plan
        self._jobs = {trial.id: plan.job(trial) for trial in plan.trials}
        self._began: dict[str, float] = {}
        self._known: dict[str, int] = {}  # how many failures of this run have been judged, by trial

    def __getstate__(self) -> dict[str, Any]:
        """Leave the watchers out: Tune pickles its callbacks with the experiment's state."""
        return {"_watchers": (), "_pool": None}

    def planned(self, trial: PlannedTrial) -> None:
        """Report a new trial of the search."""
        self._jobs[trial.id] = self._plan.job(trial)
        self.expected(trial.id)
        for watcher in self._watchers:
            watcher.planned(trial)

    def expected(self, trial_id: str) -> None:
        """Announce a trial to the hosts: it is new, or continues after a pause."""
        if self._pool is not None:
            self._pool.expect(trial_id, stream_key(self._jobs[trial_id]))

    def set_idle(self, over: bool) -> None:
        """Announce to the hosts that the search proposes no trial before the next result, or never again."""
        if self._pool is not None:
            self._pool.set_idle(over)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Report the start of a trial."""
        self._began[trial_id(trial)] = time.time()
        for watcher in self._watchers:
            watcher.started(trial_id(trial))

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Report a trial's new record; the last result of one that failed or left is none."""
        if FAILED_BECAUSE in result:
            return
        for watcher in self._watchers:
            watcher.reported(trial_id(trial), result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Report the end of a trial."""
        if self._pool is not None:
            self._pool.leave(trial_id(trial))
        for watcher in self._watchers:
            watcher.ended(trial_id(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Remove a trial that Tune gives up from its cohort."""
        if self._pool is not None:
            self._pool.leave(trial_id(trial))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Judge a trial that died without a word; one whose budget is spent gets its outcome, and its runner ends at once."""
        job = self._jobs[trial_id(trial)]
        if is_fenced_off(job.directory):  # another job has taken it over, and judges it
            trial.max_failures = 0
            return
        events = self._judged(job)
        if len(events) == self._known.get(job.trial_id, 0):  # else the runner has judged it
            verdict = judge(job, error_of(trial), self._run, self._began.get(job.trial_id, 0.0))
            if not verdict.again:
                with contextlib.suppress(OSError):  # it is tried again when the sweep ends
                    write_outcome(job.directory, Outcome("failed", verdict.reason))
                trial.max_failures = 0  # Tune's: a runner that cannot even start does not read the outcome
            events = self._judged(job)
        self._known[job.trial_id] = len(events)
        if events:
            log.warning("%s  %s: %s: %s", job.trial_id, events[-1].kind, events[-1].action, events[-1].detail)

    def _judged(self, job: Job) -> list[Event]:
        """Return the verdicts of this run; the training's own notes on the timeline belong to no run."""
        return [event for event in read_events(job.directory) if event.run == self._run]


def error_of(trial: Any) -> BaseException:
    """Return the error that Tune noted for its trial; one that cannot be read counts as a lost process."""
    try:
        with Path(trial.pickled_error_file).open("rb") as stream:
            error: BaseException = ray.cloudpickle.load(stream)
    except Exception:  # noqa: BLE001  whatever is wrong with the note, the process is gone
        return RayActorError()
    return error


class SweepStopper(tune.Stopper, tune.Callback):
    """End the sweep when the user asks for it, its budget is spent, no trial finds room, or all wait for a paused one.

    A sweep that is not ``alone`` may have no active trial because it waits for those of other jobs.
    """

    def __init__(self, interruption: Interruption, room: RoomWait, budget: Budget, *, alone: bool = True) -> None:
        self._interruption, self._room, self.budget, self._alone = interruption, room, budget, alone
        self._last_active, self._live = time.monotonic(), LiveTrials()
        self._told = self.starved = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles this with the experiment's state."""
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no trial because of its result."""
        return False

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Add the result to the budget."""
        self.budget.on_result(trial_id(trial), result)

    @property
    def is_interrupted(self) -> bool:
        """Return whether the user wants the run to end."""
        return self._interruption.asked

    @property
    def cut_short(self) -> bool:
        """Return whether trials have been asked to stop: they are not over."""
        return self._told

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Stop running trials at the user's request or when the budget is spent; notice when none can start."""
        self.budget.keep()
        live = self._live.of(trials)
        running = [trial for trial in live if trial.status == "RUNNING"]
        waiting = not running and any(trial.status == "PENDING" for trial in live)
        self.starved = self._room.look(waiting=waiting)
        if running or waiting:
            self._last_active = time.monotonic()
        elif self._alone and time.monotonic() - self._last_active > PAUSED_S and any(map(waits_for_its_user, trials)):
            self._told = True  # the scheduler has the others wait for results that will not come
        if (self._interruption.asked or self.budget.reason) and not self._told:
            self._told = True
            if not self._interruption.asked:
                log.warning(
                    "%s: the study ends here; raise the budget to continue with the remaining trials",
                    self.budget.reason,
                )
            for trial in running:
                request_stop(trial.config["planned"]["directory"])

    def stop_all(self) -> bool:
        """Make Tune stop: running trials were asked to save their state, and Tune waits for them."""
        return self._told or self.starved


def waits_for_its_user(trial: Any) -> bool:
    """Return whether one of Tune's trials is paused by its user."""
    return is_paused(trial.config["planned"]["directory"])


def trial_id(trial: Any) -> str:
    """Return our id of one of Tune's trials."""
    return str(trial.config["planned"]["id"])
