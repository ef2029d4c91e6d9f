"""Run a reproduction, wave by wave, in one Ray: checks of weights, then trials without dependencies, then the rest."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial, refreshed
from orchestrator.reproduce.baseline_check import ACCEPT, why_rejected
from orchestrator.reproduce.plan import RunPlan, merged
from orchestrator.reproduce.results import ap_values
from orchestrator.results.result import TrialResult
from orchestrator.tracking.results import results_on_disk

log = logging.getLogger(__name__)
PlanRunner = Callable[[Plan], bool]  # says whether MLflow has all of it


@dataclass(frozen=True)
class ReproductionResult:
    """Hold how a reproduction ended: whether MLflow has everything, and which jobs did not run, and why."""

    delivered: bool
    stopped: dict[str, str]


def execute(run_plan: RunPlan, label: str, run: PlanRunner) -> ReproductionResult:
    """Run every trial that is not finished; ``run`` runs one plan.

    A job does not run when a public checkpoint that it rests on gives no AP that is published for it (unless the
    options accept that), or when its teacher failed.
    """
    checks, first, then = run_plan.waves()
    delivered = _run(run_plan, checks, label, run)
    stopped = _rejections(run_plan)
    delivered &= _run(run_plan, _allowed(run_plan, first, stopped), label, run)
    stopped |= _without_teacher(run_plan, stopped)
    delivered &= _run(run_plan, _allowed(run_plan, then, stopped), label, run)
    for name, reason in stopped.items():
        log.warning("not run: %s: %s", name, reason)
    return ReproductionResult(delivered, stopped)


def _run(run_plan: RunPlan, trials: Sequence[PlannedTrial], label: str, run: PlanRunner) -> bool:
    delivered = [run(plan) for plan in merged(run_plan, tuple(trials), label)]
    return all(delivered)


def _rejections(run_plan: RunPlan) -> dict[str, str]:
    """Return the jobs that rest on wrong weights, with the reason."""
    checked_weights = dict.fromkeys(checked for job in run_plan.jobs.values() for checked in job.checked_weights)
    comparisons = {checked: _rejection(run_plan, checked) for checked in checked_weights}
    found = {name: [comparisons[checked] for checked in job.checked_weights] for name, job in run_plan.jobs.items()}
    return {name: next(filter(None, reasons)) for name, reasons in found.items() if any(reasons)}


def _rejection(run_plan: RunPlan, checked: str) -> str | None:
    values = ap_values(run_plan, checked, on_disk(run_plan, run_plan.jobs[checked].trials))
    found = why_rejected(checked, values[0] if values else None)
    if found and values and math.isfinite(values[0]) and run_plan.options.accept_teacher_ap:
        log.warning("%s: accepted: %s", ACCEPT, found)
        return None
    return found


def _without_teacher(run_plan: RunPlan, stopped: dict[str, str]) -> dict[str, str]:
    """Return the jobs whose teacher has not been trained, but for those that are stopped anyway."""
    return {
        name: f"its teacher ({job.teacher.id}) is not trained"
        for name, job in run_plan.jobs.items()
        if job.teacher and name not in stopped and refreshed(job.teacher).status != "finished"
    }


def _allowed(run_plan: RunPlan, trials: Sequence[PlannedTrial], stopped: dict[str, str]) -> list[PlannedTrial]:
    """Return the trials that a job which may run needs."""
    wanted = {
        trial_id for name, job in run_plan.jobs.items() if name not in stopped for trial_id in run_plan.needs(job)
    }
    return [trial for trial in trials if trial.id in wanted]


def on_disk(run_plan: RunPlan, trials: Sequence[PlannedTrial]) -> dict[str, TrialResult]:
    """Return trials' results from their directories, by id."""
    plans = merged(run_plan, tuple(trials), "check")
    return {result.id: result for plan in plans for result in results_on_disk(plan, {})}
