"""Bound from below how many trials and steps a study has, where results decide about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.plan.phases import first_epoch_at
from orchestrator.plan.plan import Plan
from orchestrator.plan.race import first_seeds, least_finalists
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.fidelity import schedule_of
from orchestrator.study.schema import Asha, Pasha
from orchestrator.study.space import is_open


@dataclass(frozen=True)
class Least:
    """Hold how many trials and steps a study comes to at least; ``None`` for steps that are not known."""

    trials: int
    steps: int | None


def least(plan: Plan) -> Least | None:
    """Return the least that a race or early stopping leaves to be trained; ``None`` where neither decides.

    A goal, a budget, a failure or the user may end a study before. No bound is given for an open search and for HyperBand.
    """
    search = plan.study.search
    if is_open(search) or not (plan.race or isinstance(search.scheduler, Asha | Pasha)):
        return None
    judged = [trial for trial in plan.students if _is_judged(plan, trial)]
    ids = {trial.id for trial in judged}
    whole = [*plan.teachers, *(trial for trial in plan.students if trial.id not in ids)]
    whole += _further_seeds(plan)
    parts = [_steps(whole), _at_rungs(plan, judged)]
    known = None if None in parts else sum(part or 0 for part in parts)
    return Least(len(whole) + len(judged), known)


def _is_judged(plan: Plan, trial: PlannedTrial) -> bool:
    scheduler = plan.study.search.scheduler
    exempt = trial.is_baseline and (plan.race or isinstance(scheduler, Pasha))
    return isinstance(scheduler, Asha | Pasha) and not exempt


def _further_seeds(plan: Plan) -> list[PlannedTrial]:
    """Return the trials that a race adds in any case: of one point, and of the baselines, up to the least seeds."""
    search = plan.study.search
    if search.racing is None:
        return []
    begin, end = first_seeds(search), search.racing.least_seeds
    ones = [point.trials[begin:end] for point in plan.race if not point.is_baseline]
    baselines = [trial for point in plan.race if point.is_baseline for trial in point.trials[begin:end]]
    return [*min(ones, key=lambda trials: _steps(trials) or 0, default=()), *baselines]


def _at_rungs(plan: Plan, trials: Sequence[PlannedTrial]) -> int | None:
    """Return the steps of trials of which a few are trained to their ends, and the others to the rungs that all studies have."""
    search, rule = plan.study.search, plan.study.search.scheduler
    if not isinstance(rule, Asha | Pasha) or not trials:
        return 0
    if any(trial.estimate.steps is None for trial in trials):
        return None
    whole = min(least_finalists(search, len(trials)), len(trials))
    second = len(trials) // rule.reduction_factor if isinstance(rule, Pasha) else 0
    first = [_share(trial, _rung(plan, trial, rule.grace_epochs)) for trial in trials]
    later = [_share(trial, _rung(plan, trial, rule.grace_epochs * rule.reduction_factor)) for trial in trials]
    to_second = sorted(more - steps for more, steps in zip(later, first, strict=True))
    to_end = sorted((trial.estimate.steps or 0) - steps for trial, steps in zip(trials, first, strict=True))
    return sum(first) + sum(to_second[: max(0, second - whole)]) + sum(to_end[:whole])


def _rung(plan: Plan, trial: PlannedTrial, level: int) -> int:
    """Return the epoch at which a trial comes to a rung."""
    rule = plan.study.search.scheduler
    if not isinstance(rule, Asha | Pasha) or rule.rungs == "epoch":
        return level
    return first_epoch_at(trial.spec.schedule, schedule_of(plan.study), level)


def _share(trial: PlannedTrial, epochs: int) -> int:
    """Return the steps of so many of a trial's epochs."""
    steps, whole = trial.estimate.steps or 0, trial.estimate.epochs
    return steps * min(epochs, whole) // whole if whole else steps


def _steps(trials: Iterable[PlannedTrial]) -> int | None:
    found = [trial.estimate.steps for trial in trials]
    return None if None in found else sum(steps or 0 for steps in found)
