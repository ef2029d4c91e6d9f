"""Make the scheduler that a study asks for, with everything that it decided before."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ray.tune.schedulers import ASHAScheduler, HyperBandScheduler

from orchestrator.plan.journal import SearchLog
from orchestrator.plan.phases import epoch_alike
from orchestrator.plan.plan import Plan
from orchestrator.plan.race import least_finalists
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.live_trials import InOrder
from orchestrator.search.pasha import PashaScheduler
from orchestrator.search.scheduler import TIME, RememberingScheduler
from orchestrator.search.selective import SelectiveScheduler
from orchestrator.study.fidelity import schedule_of
from orchestrator.study.schema import Asha, Fifo, HyperBand, Pasha
from trainers.schema import Schedule
from trainers.schema.record import read_history, read_status
from trainers.schema.status import is_over


def make_scheduler(
    plan: Plan, trials: Sequence[PlannedTrial], resumed: Callable[[str], None] = lambda trial_id: None
) -> Any:
    """Return Tune's scheduler for ``trials``, which counts epochs as we report them, not Tune's own iterations.

    Students that have ended before are taken into account, from the log of the search or else from their histories.
    ``resumed`` receives the ids of paused trials that continue.
    """
    rule = plan.study.search.scheduler
    if isinstance(rule, Fifo) or any(trial.role == "teacher" for trial in trials):
        return InOrder()
    students = {trial.id: trial for trial in (*plan.students, *plan.suggested, *trials)}
    judges = judging(plan)
    # In steps, if those are counted: never too short. Of all students: rungs must be the same in every run.
    longest = max([schedule_of(plan.study).length, 1, *(trial.spec.schedule.length for trial in students.values())])
    if not isinstance(rule, HyperBand) and rule.rungs == "phase":
        longest = schedule_of(plan.study).length  # the schedule whose epochs all are counted in
    judged = [trial.id for trial in plan.students if judges(trial.id)]
    if isinstance(rule, Pasha):
        rule = rule.model_copy(update={"finalists": least_finalists(plan.study.search, len(judged))})
    metric = plan.study.search.metric
    inner = _inner(rule, longest, judged, metric)
    scheduler = RememberingScheduler(inner, SearchLog(plan.search_log), metric, resumed, _clock(plan, trials))
    over = [trial for trial in students.values() if judges(trial.id) and is_over(read_status(trial.directory))]
    scheduler.absorb(_histories(over, scheduler, all_of_them=not isinstance(rule, HyperBand)))
    return SelectiveScheduler(scheduler, judges)


def _clock(plan: Plan, trials: Sequence[PlannedTrial]) -> Callable[[str, int], float]:
    """Return the time by which a scheduler compares trials: the epoch, or that of the study's own schedule at equal phase."""
    rule = plan.study.search.scheduler
    if not isinstance(rule, Asha | Pasha) or rule.rungs == "epoch":
        return lambda trial_id, epoch: epoch
    reference, schedules = schedule_of(plan.study), dict[str, Schedule]()

    def time_of(trial_id: str, epoch: int) -> float:
        if trial_id not in schedules:  # a search comes to further trials
            schedules.update({trial.id: trial.spec.schedule for trial in (*plan.students, *plan.suggested, *trials)})
        return epoch_alike(schedules[trial_id], reference, epoch)

    return time_of


def judging(plan: Plan) -> Callable[[str], bool]:
    """Return whether the scheduler judges a trial.

    PASHA trains the baseline to its end, which every gain needs. In a race the baseline has as many seeds as the leader, and
    the scheduler judges the first seeds only: means of a point are over trainings of its whole schedule.
    """
    if not plan.race and not isinstance(plan.study.search.scheduler, Pasha):
        return lambda trial_id: True
    students = {trial.id for trial in plan.students if not trial.is_baseline}
    return students.__contains__


def _inner(rule: Asha | Pasha | HyperBand, longest: int, students: Iterable[str], metric: str) -> Any:
    told: dict[str, Any] = {"time_attr": TIME, "metric": metric, "mode": "max"}  # it is told merits
    if isinstance(rule, HyperBand):
        return HyperBandScheduler(max_t=longest, reduction_factor=rule.reduction_factor, **told)
    if isinstance(rule, Pasha):
        return PashaScheduler(rule, longest, students, time=TIME, metric=metric)
    grace = rule.grace_epochs
    return ASHAScheduler(grace_period=grace, reduction_factor=rule.reduction_factor, max_t=max(longest, grace), **told)


def _histories(over: Iterable[PlannedTrial], scheduler: RememberingScheduler, *, all_of_them: bool) -> dict[str, Any]:
    """Return the histories of students that are over; HyperBand's brackets are for those that it has seen begin."""
    found = {trial.id: read_history(trial.directory) for trial in over if all_of_them or scheduler.has_trial(trial.id)}
    return {trial: history for trial, history in found.items() if history}
