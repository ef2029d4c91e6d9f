"""Make the scheduler that a study asks for, with everything that it decided before."""

from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, HyperBandScheduler

from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.scheduler import TIME, RememberingScheduler
from orchestrator.study.schema import Asha, HyperBand
from trainers.schema.record import SELECTION_METRIC, read_history, read_status
from trainers.schema.status import is_over


def make_scheduler(
    plan: Plan, trials: Sequence[PlannedTrial], resumed: Callable[[str], None] = lambda trial_id: None
) -> Any:
    """Return Tune's scheduler for ``trials``, which counts epochs as we report them, not Tune's own iterations.

    Students that have ended before are taken into account, from the log of the search or else from their histories.
    ``resumed`` receives the ids of paused trials that continue.
    """
    rule = plan.study.search.scheduler
    if not isinstance(rule, Asha | HyperBand) or any(trial.role == "teacher" for trial in trials):
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    lengths = [trial.spec.schedule.length for trial in trials]  # in steps, if those are counted: never too short
    longest = max([*lengths, plan.study.schedule.length, 1])
    scheduler = RememberingScheduler(_inner(rule, longest), SearchLog(plan.search_log), SELECTION_METRIC, resumed)
    scheduler.absorb(_ended(plan, scheduler, all_of_them=isinstance(rule, Asha)))
    return scheduler


def _inner(rule: Asha | HyperBand, longest: int) -> Any:
    told: dict[str, Any] = {"time_attr": TIME, "metric": SELECTION_METRIC, "mode": "max"}
    if isinstance(rule, HyperBand):
        return HyperBandScheduler(max_t=longest, reduction_factor=rule.reduction_factor, **told)
    grace = rule.grace_epochs
    return ASHAScheduler(grace_period=grace, reduction_factor=rule.reduction_factor, max_t=max(longest, grace), **told)


def _ended(plan: Plan, scheduler: RememberingScheduler, *, all_of_them: bool) -> dict[str, Any]:
    """Return the histories of students that are over; HyperBand's brackets are for those that it has seen begin."""
    students = (*plan.students, *plan.suggested)
    over = [trial for trial in students if is_over(read_status(trial.directory))]
    found = {trial.id: read_history(trial.directory) for trial in over if all_of_them or scheduler.has_trial(trial.id)}
    return {trial: history for trial, history in found.items() if history}
