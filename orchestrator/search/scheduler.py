"""Make a Ray Tune scheduler persistent: it never repeats a decision that it made before its process died."""

import logging
from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import TrialScheduler

from orchestrator.compat.ray_tune import unpauses
from orchestrator.plan.journal import SearchEvent, SearchLog
from orchestrator.search.live_trials import LiveTrials
from orchestrator.search.pasha import PashaScheduler
from orchestrator.search.trial_state import TrialState
from orchestrator.study.selection import merit
from trainers.schema.record import Record, read_outcome

log = logging.getLogger(__name__)
TIME, FAILED_BECAUSE = "epoch", "failed_because"  # keys of a result
ATTEMPT = "#"  # before the number of a trial's second or later attempt, in the log
CONTINUE, PAUSE, STOP = TrialScheduler.CONTINUE, TrialScheduler.PAUSE, TrialScheduler.STOP


class RememberingScheduler(TrialScheduler):
    """Pass each result to Tune's scheduler once in a study's life, and log its decision before Tune sees it.

    A new process repeats the events from the log before anything new happens, in their order, so Tune's scheduler comes
    to the state that it had. Trials repeat their own histories then; these results get the decisions that were made. A
    trial that failed and is tried again joins under a new name. Tune calls all methods from one thread. ``resumed``
    receives the ids of paused trials that continue, all of one decision before the first of them starts. The scheduler
    inside always looks for the highest value: of a loss it is told the value with the other sign. ``time_of`` says how far
    a trial is after an epoch, by default the epoch.
    """

    def __init__(
        self,
        scheduler: Any,
        events: SearchLog,
        metric: str,
        resumed: Callable[[str], None] = lambda trial_id: None,
        time_of: Callable[[str, int], float] = lambda trial_id, epoch: epoch,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._scheduler, self._log, self._metric_key = scheduler, events, metric
        self._resumed, self._time_of = resumed, time_of
        self._states: dict[str, TrialState] = {}
        self._live = LiveTrials()
        self._replaying, self._depth = True, 0
        for event in events.read():
            if "trial" in event:  # the others are about points
                self._repeat(event)
        self._replaying = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles this with the experiment's settings."""
        return {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accept Tune's settings: the scheduler already has them."""
        return True

    def has_trial(self, trial: str) -> bool:
        """Return whether the log contains a trial."""
        return trial in self._states

    def absorb(self, histories: dict[str, list[Record]]) -> None:
        """Take into account finished and stopped trials of which the log says less than their histories, by time."""
        found = [
            (record.wall_time, number, record, trial)
            for number, (trial, history) in enumerate(histories.items())
            for record in history
            if trial not in self._states or record.epoch > self._states[trial].last_epoch
        ]
        last = {trial: history[-1] for trial, history in histories.items() if history}
        for _, _, record, trial in sorted(found, key=lambda entry: entry[:2]):
            self._take(trial, record, is_last=record is last[trial])

    def _take(self, trial: str, record: Record, *, is_last: bool) -> None:
        state = self._states.get(trial) or self._add(None, trial)
        if state.gone:
            return
        if is_last:
            self._complete(None, state, record.epoch, record.metrics.get(self._metric_key))
        elif self._metric_key in record.metrics:
            self._decide(None, state, record.epoch, record.metrics[self._metric_key], as_decided=CONTINUE)

    # what Tune calls

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Add a trial; one that returns after a crash keeps its state."""
        name = self._name(trial)
        state = self._states.get(name) or self._add(tune_controller, name)
        state.attach(trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return the decision about the trial: a new one, or the one logged for this epoch."""
        state, epoch = self._states[self._name(trial)], result.get(TIME, 0)
        if self._metric_key not in result or epoch < state.last_epoch:
            return CONTINUE
        if state.over:
            return STOP
        state.behind = False
        # A restarted trial replays its history: Tune's scheduler must not count a result a second time.
        if epoch == state.last_epoch:
            return self._standing(state)
        return self._decide(tune_controller, state, epoch, result[self._metric_key])

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Complete a trial; one that was interrupted or paused stays open and continues later."""
        state, epoch = self._states[self._name(trial)], result.get(TIME, 0)
        if state.gone:
            return
        if self._depth:  # stopped by the decision that is being made
            self._remove(tune_controller, state, "remove")
        elif epoch:
            self._complete(tune_controller, state, epoch, result.get(self._metric_key))
        elif result.get(FAILED_BECAUSE) or _outcome_of(trial) == "failed":
            self._remove(tune_controller, state, "failed")
        elif _outcome_of(trial) == "stopped":  # by its user: for good
            self._remove(tune_controller, state, "remove")

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Remove a waiting trial that was stopped."""
        state = self._states[self._name(trial)]
        if not state.gone:
            self._remove(tune_controller, state, "remove")

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Handle a crash: if Tune restarts the trial, it only replays its history."""
        state = self._states[self._name(trial)]
        if trial.status == "ERROR":
            state.behind = state.last_epoch > 0
        elif not state.gone:
            self._remove(tune_controller, state, "failed")

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return a paused trial that may go on, else the next that waits for its start."""
        trials = self._live.of(tune_controller.get_trials())
        paused = [t for t in trials if t.status == "PAUSED" and self._resumes(self._states[self._name(t)])]
        for trial in paused:
            self._call(trial)
        first = max(paused, key=lambda t: self._urgency(self._states[self._name(t)]), default=None)
        return first or next((t for t in trials if t.status == "PENDING"), None)

    def _call(self, trial: Any) -> None:
        state = self._states[self._name(trial)]
        if not state.called:
            state.called = True
            self._resumed(str(trial.config["planned"]["id"]))

    def debug_string(self) -> str:
        """Return the scheduler's own summary."""
        return str(self._scheduler.debug_string())

    # what the scheduler inside calls, by way of ``_Stage``

    def stop(self, tune_controller: Any, state: TrialState) -> None:
        """Stop a waiting trial; one that still replays its history stops with its next result."""
        state.over = True
        live = state.live
        if live is not None and (live.status in ("PENDING", "PAUSED") or live.is_saving):
            tune_controller.stop_trial(live)
        if not state.gone:
            self._remove(tune_controller, state, "remove")

    # what both runs and repetitions do

    def _repeat(self, event: SearchEvent) -> None:
        name, kind = event["trial"], event["event"]
        if kind == "add":
            self._add(None, name)
            return
        state = self._states[name]
        if kind == "result":
            self._decide(None, state, event["epoch"], event["value"], as_decided=event["decision"])
        elif state.gone:
            return
        elif kind == "complete":
            self._complete(None, state, event["epoch"], event["value"])
        else:
            self._remove(None, state, kind)

    def _add(self, tune_controller: Any, name: str) -> TrialState:
        # The order of additions decides HyperBand's brackets, so the log has them too.
        self._write(event="add", trial=name)
        state = self._states[name] = TrialState(name)
        self._scheduler.on_trial_add(_SchedulerStage(self, tune_controller), state)
        return state

    def _decide(
        self, tune_controller: Any, state: TrialState, epoch: int, value: float, as_decided: str | None = None
    ) -> str:
        state.begun, state.waits, state.called = True, False, False
        result = {TIME: self._time(state, epoch), self._metric_key: merit(self._metric_key, value)}
        self._depth += 1
        decision = str(self._scheduler.on_trial_result(_SchedulerStage(self, tune_controller), state, result))
        self._depth -= 1
        # The logged decision wins: trials have acted on it, even if this release would decide otherwise.
        if as_decided is not None and decision != as_decided:
            log.debug("%s at epoch %d: %s was decided, not %s", state.trial_id, epoch, as_decided, decision)
            decision = as_decided
        # Before the return: Tune may act on a decision at once, and a crash must not forget it.
        self._write(event="result", trial=state.trial_id, epoch=epoch, value=value, decision=decision)
        state.last_epoch, state.waits, state.over = epoch, decision == PAUSE, decision == STOP
        return decision

    def _complete(self, tune_controller: Any, state: TrialState, epoch: int, value: float | None) -> None:
        self._write(event="complete", trial=state.trial_id, epoch=epoch, value=value)
        state.last_epoch, state.over, state.gone = epoch, True, True
        result: dict[str, Any] = {TIME: self._time(state, epoch)} | (
            {} if value is None else {self._metric_key: merit(self._metric_key, value)}
        )
        self._depth += 1
        self._scheduler.on_trial_complete(_SchedulerStage(self, tune_controller), state, result)
        self._depth -= 1

    def _remove(self, tune_controller: Any, state: TrialState, kind: str) -> None:
        if not self._depth:  # else it follows from the event that is being dealt with
            self._write(event=kind, trial=state.trial_id)
        state.over = state.gone = True
        state.failed = kind == "failed"
        self._depth += 1
        self._scheduler.on_trial_remove(_SchedulerStage(self, tune_controller), state)
        self._depth -= 1

    def _time(self, state: TrialState, epoch: int) -> float:
        """Return how far a trial is to the scheduler, which compares trials at equal times."""
        return self._time_of(state.trial_id.partition(ATTEMPT)[0], epoch)

    def _write(self, **event: Any) -> None:
        if not self._replaying:
            self._log.append(**event)

    def _standing(self, state: TrialState) -> str:
        """Return the decision under which a trial stands that has come to where it was."""
        if not state.waits:
            return CONTINUE
        if self._resumes(state):
            state.waits = False
            return CONTINUE
        return PAUSE

    def _resumes(self, state: TrialState) -> bool:
        """Return whether the scheduler lets a paused trial go on."""
        if isinstance(self._scheduler, PashaScheduler):
            return self._scheduler.urgency(state) is not None
        return unpauses(self._scheduler, state)

    def _urgency(self, state: TrialState) -> tuple[int, float]:
        """Return who of the paused trials goes on first, the highest; of equals the first one."""
        return (isinstance(self._scheduler, PashaScheduler) and self._scheduler.urgency(state)) or (0, 0.0)

    def _name(self, trial: Any) -> str:
        """Return the name of the state that a trial of Tune's is."""
        own, attempt = str(trial.config["planned"]["id"]), 1
        name = own
        while (known := self._states.get(name)) is not None and known.failed and known.live is not trial:
            attempt += 1
            name = f"{own}{ATTEMPT}{attempt}"
        return name


class _SchedulerStage:
    """Stand for Tune's controller before the scheduler, which may stop other trials than the one that reports."""

    def __init__(self, scheduler: RememberingScheduler, tune_controller: Any) -> None:
        self._scheduler, self._controller = scheduler, tune_controller

    def stop_trial(self, state: TrialState) -> None:
        """Stop a trial that waits."""
        self._scheduler.stop(self._controller, state)


def _outcome_of(trial: Any) -> str:
    outcome = read_outcome(trial.config["planned"]["directory"])
    return outcome.status if outcome else ""
