"""Run a plan: the teacher first, then the students that are not finished yet; keep MLflow up to date."""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.execution.callbacks import Watcher
from orchestrator.execution.interruption import Interruption
from orchestrator.execution.prefix_order import KeptNotes, SharedStates, drop_shared_states
from orchestrator.execution.ray_cluster import cluster, start_ray, stop_ray
from orchestrator.execution.ray_watch import watched_ray
from orchestrator.execution.record_costs import record_costs
from orchestrator.execution.startup import Startup
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.together import Together
from orchestrator.execution.tune import run_trials
from orchestrator.execution.unwritten import Unwritten
from orchestrator.plan.images import ImageRecorder
from orchestrator.plan.independence import is_independent
from orchestrator.plan.plan import Plan
from orchestrator.plan.rates import remember
from orchestrator.plan.recorded_trials import TrialsRecorder
from orchestrator.plan.resources import resources
from orchestrator.plan.totals import students_after_teacher, to_train
from orchestrator.plan.trial import PAUSED, PlannedTrial, refreshed
from orchestrator.search.suggestions import Suggestions
from orchestrator.study.space import adds_trials
from orchestrator.study.wording import counted
from orchestrator.tracking.flusher import WAIT_S, Delivery, Flusher
from orchestrator.tracking.priors import read_priors
from orchestrator.tracking.tracker import Tracker
from trainers.schema.atomic import remove
from trainers.schema.record import OUTCOME, read_outcome
from trainers.schema.request import carry_out, is_paused
from trainers.schema.status import is_over
from trainers.schema.tidy import drop_carried, tidy_over

WAIT_WHEN_CUT_SHORT_S = 5.0  # for MLflow, when the run ends by an error or the user's wish
log = logging.getLogger(__name__)


def run_plan(
    plan: Plan,
    store: Store,
    tracker: Tracker,
    watchers: Sequence[Watcher],
    address: str | None,
    interruption: Interruption | None = None,
    wait_s: float = WAIT_S,
    *,
    keep_ray: bool = False,
    startup: Startup | None = None,
    unwritten: Unwritten | None = None,
    chosen: Collection[str] | None = None,
    together: Together | None = None,
) -> Delivery:
    """Train the plan's remaining trials and copy all results to MLflow, also when the run ends early.

    Return the delivery. Training does not depend on MLflow; only the end waits for it, ``wait_s`` at most when it does
    not answer. ``keep_ray`` leaves Ray up for another plan; the caller stops it. ``startup`` announces
    the start of Ray, unless it is up. ``chosen`` are the ids of the trials to train, ``None`` for all; ``together`` is the
    part of a run that shares the store: then this returns when all of them have ended. ``unwritten`` collects what
    the end of the run cannot write. Raises ``OperationError`` when the teacher fails; a failed student is an outcome, not
    an error.
    """
    if together is None:
        obey_requests(plan)
    require_no_paused_teacher(plan)
    known = [refreshed(trial) for trial in plan.trials if chosen is None or trial.id in chosen]
    pending, paused = to_train(known), [trial for trial in known if trial.status == PAUSED]
    sweep = Sweep(plan, unwritten or Unwritten())
    enough = sweep.budget.reason
    if enough:
        pending = []
        log.warning("%s: nothing is trained", enough)
    flusher = Flusher(tracker, plan.trials, turn=together.delivering if together else nullcontext)
    try:
        flusher.begin()
        if pending or (not enough and sweep.proposes):
            learn(sweep, tracker)
            with sweep.budget.counting(), TrialsRecorder(plan, store) as recorder:
                _train(
                    sweep,
                    pending,
                    paused,
                    store,
                    [ImageRecorder(plan), recorder, KeptNotes(plan, store), SharedStates(plan), flusher, *watchers],
                    address,
                    interruption or Interruption(),
                    keep_ray,
                    startup or Startup(),
                    together,
                )
        if together is None:  # else whoever had a trial has tidied up
            _tidy(sweep)
        drop_shared_states(plan)
        with together.finishing() if together else nullcontext():
            with sweep.unwritten.noting(store.rates):
                remember(plan, store.rates)
            record_costs(plan)
    except BaseException:
        flusher.close(min(wait_s, WAIT_WHEN_CUT_SHORT_S))
        raise
    return flusher.close(wait_s)


def _tidy(sweep: Sweep) -> None:
    """Remove files that only training needs, also of earlier runs that were killed behind an outcome."""
    plan, unwritten = sweep.plan, sweep.unwritten
    for trial in plan.trials:
        with unwritten.noting(trial.directory):
            if is_over(refreshed(trial).status):
                tidy_over(trial.directory)
    for trial in plan.suggested if sweep.has_proposed_all else ():
        with unwritten.noting(trial.directory):
            drop_carried(trial.directory)  # nobody goes on from there any more


def obey_requests(plan: Plan) -> None:
    """Carry out the requests about trials since the last run."""
    for trial in plan.trials:
        carry_out(trial.directory)


def require_no_paused_teacher(plan: Plan) -> None:
    """Raise ``OperationError`` where a teacher is paused."""
    for teacher in plan.teachers:
        if is_paused(teacher.directory):  # as a student of another study
            students = "no student" if len(plan.teachers) == 1 else "none of its students"
            raise OperationError(f"the teacher ({teacher.id}) is paused, so {students} can start: resume it first")


def learn(sweep: Sweep, tracker: Tracker) -> None:
    """Take results of earlier trials into account, before the first point is asked for.

    Raises ``OperationError`` when they cannot be read: without them the search would go elsewhere.
    """
    plan, suggestions = sweep.plan, sweep.suggestions
    if plan.study.search.warm_start is None or not isinstance(suggestions, Suggestions) or not suggestions.is_fresh:
        return
    priors = read_priors(plan, tracker.connect())
    log.info("search.warm_start: %s from %s", counted(len(priors), "point"), plan.study.search.warm_start)
    suggestions.add_priors(priors)


def _train(
    sweep: Sweep,
    pending: list[PlannedTrial],
    paused: list[PlannedTrial],
    store: Store,
    watchers: Sequence[Watcher],
    address: str | None,
    interruption: Interruption,
    keep_ray: bool,
    startup: Startup,
    together: Together | None,
) -> None:
    plan, claims = sweep.plan, together.claims if together else None
    directory = together.tune_dir if together else store.tune_dir
    for trial in pending if together is None else ():
        remove(trial.directory / OUTCOME)  # a failed trial is tried again
    try:
        with startup.part("starting it"):
            start_ray(address, plan.study.scaling.variables)
        startup.done()
        with watched_ray():
            room = room_in(plan) if address else None
            teachers = [trial for trial in pending if trial.role == "teacher"]
            if teachers:
                run_trials(sweep, teachers, watchers, directory, interruption=interruption, claims=claims)
                if sweep.budget.reason and any(refreshed(one).status in ("new", "unfinished") for one in teachers):
                    return  # a larger budget lets them go on
            lost = require_teachers(plan, teachers)
            # Paused ones end at once and last; the run has them, so that it can start them again.
            students = [one for one in students_after_teacher([*pending, *paused]) if one.teacher not in lost]
            if not sweep.budget.reason and (students or adds_trials(plan.study.search)):
                run_trials(sweep, students, watchers, directory, interruption=interruption, room=room, claims=claims)
    finally:
        if not keep_ray:
            stop_ray()


def room_in(plan: Plan) -> Callable[[], int]:
    """Return a function that returns how many of the plan's trials fit at once on the cluster, as it is now and can become."""
    return lambda: resources(plan.study, cluster()).concurrent


def require_teachers(plan: Plan, trained: Sequence[PlannedTrial]) -> frozenset[str]:
    """Return the ids of those teachers of this run that have failed: none of their students is started.

    Raises ``OperationError`` where no teacher is left, or where results decide: a search cannot do without some of its points.
    """
    reasons = {teacher.id: reason for teacher in trained if (reason := _why_not(teacher))}
    if reasons and (len(reasons) == len(plan.teachers) or not is_independent(plan.study.search)):
        teacher, reason = next(iter(reasons.items()))
        raise OperationError(f"the teacher ({teacher}) failed, so no student started: {reason}")
    for teacher, reason in reasons.items():
        log.warning("the teacher (%s) failed, so none of its students starts: %s", teacher, reason)
    return frozenset(reasons)


def _why_not(teacher: PlannedTrial) -> str:
    """Return why a teacher is not finished, "" for one that is."""
    outcome = read_outcome(teacher.directory)
    if outcome is None:
        return "it did not end"
    return "" if outcome.status == "finished" else outcome.reason or outcome.status
