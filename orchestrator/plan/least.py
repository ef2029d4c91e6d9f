"""Bound from below how many trials and steps a study has, where results decide about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.plan.estimate import steps_per_epoch
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
    """Return the trials that a race adds in any case: up to the least seeds, before which the leader beats nobody.

    They are those of the baselines, and of all points that the scheduler trains to their ends.
    """
    search = plan.study.search
    if search.racing is None:
        return []
    begin, end = first_seeds(search), search.racing.least_seeds
    racers = [point.trials for point in plan.race if not point.is_baseline]
    further = sorted((trials[begin:end] for trials in racers), key=lambda trials: _steps(trials) or 0)
    staying = further[: _finishing(plan, [trials[0] for trials in racers])]
    baselines = [point.trials[begin:end] for point in plan.race if point.is_baseline]
    return [trial for trials in (*staying, *baselines) for trial in trials]


def _at_rungs(plan: Plan, trials: Sequence[PlannedTrial]) -> int | None:
    """Return the steps of trials of which a few are trained to their ends, and the others to the rungs that all studies have."""
    ends = _known_ends(trials)
    if ends is None:
        return None
    whole, second = _finishing(plan, trials), _promoted(plan, len(trials))
    first, later = (_at_rung(plan, trials, number) for number in (1, 2))
    to_second = sorted(more - steps for more, steps in zip(later, first, strict=True))
    to_end = sorted(end - steps for end, steps in zip(ends, first, strict=True))
    return sum(first) + sum(to_second[: max(0, second - whole)]) + sum(to_end[:whole])


def _finishing(plan: Plan, trials: Sequence[PlannedTrial]) -> int:
    """Return how many trials a scheduler trains to their ends at least: its finalists, and those whose ends are rungs."""
    if not isinstance(plan.study.search.scheduler, Asha | Pasha):
        return len(trials)
    finalists, ends = min(least_finalists(plan.study.search, len(trials)), len(trials)), _known_ends(trials)
    if ends is None:
        return finalists
    at_first = [steps == end for steps, end in zip(_at_rung(plan, trials, 1), ends, strict=True)]
    promoted = _promoted(plan, len(trials)) if _at_rung(plan, trials, 2) == ends else 0
    return max(finalists, sum(at_first), promoted)


def _promoted(plan: Plan, trials: int) -> int:
    """Return how many of so many trials come to the second rung in any case."""
    rule = plan.study.search.scheduler
    return trials // rule.reduction_factor if isinstance(rule, Pasha) else 0


def _known_ends(trials: Sequence[PlannedTrial]) -> list[int] | None:
    """Return how many steps each trial has, ``None`` where the data that tells is not here."""
    ends = [trial.estimate.steps for trial in trials if steps_per_epoch(trial.spec)]
    known = [end for end in ends if end is not None]
    return known if len(known) == len(trials) else None


def _at_rung(plan: Plan, trials: Sequence[PlannedTrial], number: int) -> list[int]:
    """Return the steps after which each trial comes to the first or the second rung, or ends before it."""
    rule = plan.study.search.scheduler
    if not isinstance(rule, Asha | Pasha):
        return []
    level = rule.grace_epochs * rule.reduction_factor ** (number - 1)
    return [
        min(trial.estimate.steps or 0, _epoch_of(plan, trial, level) * (steps_per_epoch(trial.spec) or 0))
        for trial in trials
    ]


def _epoch_of(plan: Plan, trial: PlannedTrial, level: int) -> int:
    """Return the epoch at which a trial comes to a rung."""
    rule = plan.study.search.scheduler
    if not isinstance(rule, Asha | Pasha) or rule.rungs == "epoch":
        return level
    return first_epoch_at(trial.spec.schedule, schedule_of(plan.study), level)


def _steps(trials: Iterable[PlannedTrial]) -> int | None:
    found = [trial.estimate.steps for trial in trials]
    return None if None in found else sum(steps or 0 for steps in found)
