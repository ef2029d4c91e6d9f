"""Run a reproduction, wave by wave, in one Ray: checks of weights, then trials without dependencies, then the rest."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial, refreshed
from orchestrator.reproduce.baseline_check import ACCEPT, objection
from orchestrator.reproduce.plan import RunPlan, merged
from orchestrator.reproduce.results import ap_values
from orchestrator.results.result import TrialResult
from orchestrator.tracking.results import results_on_disk

log = logging.getLogger(__name__)
PlanRunner = Callable[[Plan], bool]  # says whether MLflow has all of it


@dataclass(frozen=True)
class ReproductionResult:
    """Hold how a reproduction ended: whether MLflow has everything, and which units did not run, and why."""

    delivered: bool
    stopped: dict[str, str]


def execute(agenda: RunPlan, label: str, run: PlanRunner) -> ReproductionResult:
    """Run every trial that is not finished; ``run`` runs one plan.

    A unit does not run when a public checkpoint that it rests on gives no AP that is published for it (unless the
    options accept that), or when its teacher failed.
    """
    checks, first, then = agenda.waves()
    delivered = _run(agenda, checks, label, run)
    stopped = _objections(agenda)
    delivered &= _run(agenda, _allowed(agenda, first, stopped), label, run)
    stopped |= _without_teacher(agenda, stopped)
    delivered &= _run(agenda, _allowed(agenda, then, stopped), label, run)
    for name, reason in stopped.items():
        log.warning("not run: %s: %s", name, reason)
    return ReproductionResult(delivered, stopped)


def _run(agenda: RunPlan, trials: Sequence[PlannedTrial], label: str, run: PlanRunner) -> bool:
    delivered = [run(plan) for plan in merged(agenda, tuple(trials), label)]
    return all(delivered)


def _objections(agenda: RunPlan) -> dict[str, str]:
    """Return the units that rest on wrong weights, with the reason."""
    gates = dict.fromkeys(gate for unit in agenda.units.values() for gate in unit.gates)
    verdicts = {gate: _objection(agenda, gate) for gate in gates}
    found = {name: [verdicts[gate] for gate in unit.gates] for name, unit in agenda.units.items()}
    return {name: next(filter(None, reasons)) for name, reasons in found.items() if any(reasons)}


def _objection(agenda: RunPlan, gate: str) -> str | None:
    values = ap_values(agenda, gate, on_disk(agenda, agenda.units[gate].trials))
    found = objection(gate, values[0] if values else None)
    if found and values and math.isfinite(values[0]) and agenda.options.accept_teacher_ap:
        log.warning("%s: accepted: %s", ACCEPT, found)
        return None
    return found


def _without_teacher(agenda: RunPlan, stopped: dict[str, str]) -> dict[str, str]:
    """Return the units whose teacher has not been trained, but for those that are stopped anyway."""
    return {
        name: f"its teacher ({unit.teacher.id}) is not trained"
        for name, unit in agenda.units.items()
        if unit.teacher and name not in stopped and refreshed(unit.teacher).status != "finished"
    }


def _allowed(agenda: RunPlan, trials: Sequence[PlannedTrial], stopped: dict[str, str]) -> list[PlannedTrial]:
    """Return the trials that a unit which may run needs."""
    wanted = {trial_id for name, unit in agenda.units.items() if name not in stopped for trial_id in agenda.needs(unit)}
    return [trial for trial in trials if trial.id in wanted]


def on_disk(agenda: RunPlan, trials: Sequence[PlannedTrial]) -> dict[str, TrialResult]:
    """Return trials' results from their directories, by id."""
    plans = merged(agenda, tuple(trials), "check")
    return {result.id: result for plan in plans for result in results_on_disk(plan, {})}
