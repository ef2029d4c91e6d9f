"""Count a study's trials and steps, including those that an open search has not proposed yet.

A search whose points follow from results knows its trials one after the other. Samples, seeds and budgets bound the
trials that it may still propose. Every surface that shows remaining work or cost uses this module.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from pydantic import JsonValue, ValidationError

from orchestrator.plan.budget import Budget
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.least import least
from orchestrator.plan.plan import Plan
from orchestrator.plan.prefixes import steps_spared
from orchestrator.plan.race import race_state, rounds_in
from orchestrator.plan.suggestion import ASK
from orchestrator.plan.trial import PAUSED, PlannedTrial, refreshed
from orchestrator.study.fidelity import schedule_of
from orchestrator.study.schema import Fifo, Search
from orchestrator.study.space import adds_trials, values_of
from orchestrator.study.substitute import section_of
from trainers.schema.record import read_history
from trainers.schema.status import is_over

LENGTHS = ("schedule", "schedule.epochs", "schedule.iterations", "schedule.batch_size")
MOST_PROBES = 200  # combinations of searched values that are looked at for the longest and the slowest trial


@dataclass(frozen=True)
class Further:
    """Hold trials that a search may still come to: at most ``count``, each like one of ``probes``."""

    count: int
    probes: tuple[PlannedTrial, ...]

    @property
    def steps(self) -> int | None:
        """Return how many steps they take at most; ``None`` where the data that tells is not here."""
        known = [probe.estimate.steps for probe in self.probes]
        return None if None in known or not known else self.count * max(steps for steps in known if steps is not None)


@dataclass(frozen=True)
class Totals:
    """Hold how many trials and steps a study has in all, and how many are left; ``None`` where steps are not known.

    ``at_most`` tells that these are upper bounds: the search may come to fewer trials, or end some of them early.
    ``least_trials`` and ``least_steps`` bound them from below; ``None`` where no such bound is known.
    """

    trials: int
    steps: int | None
    trials_left: int
    steps_left: int | None
    at_most: bool
    least_trials: int | None = None
    least_steps: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the totals as ``plan --json`` prints them."""
        return dict(vars(self))


def totals(plan: Plan) -> Totals:
    """Return how many trials and steps there will be at most."""
    rest, to_come = left(plan), further(plan)
    count = sum(one.count for one in to_come)
    later = [one.steps for one in to_come]
    bound = least(plan)
    return Totals(
        trials=len(plan.trials) + count,
        steps=_sum((*(trial.estimate.steps for trial in plan.trials), *later)),
        trials_left=len(rest) + count,
        steps_left=_sum((*map(steps_left, rest), *later)),
        at_most=is_upper_bound(plan),
        least_trials=bound.trials if bound else None,
        least_steps=bound.steps if bound else None,
    )


def left(plan: Plan) -> list[PlannedTrial]:
    """Return the known trials that ``run`` would train; none where the study's budget is spent or its goal reached."""
    pending = to_train(plan.trials)
    return [] if pending and Budget(plan).reason else pending


def to_train(trials: Iterable[PlannedTrial]) -> list[PlannedTrial]:
    """Return the trials that have still to be trained, as far as their states tell; a failed one is tried again.

    A population goes on without a segment that has failed. Paused trials wait for their user.
    """
    pending = [trial for trial in trials if not is_over(trial.status) and trial.status != PAUSED]
    return [trial for trial in pending if trial.spec.segment is None or trial.status != "failed"]


def students_after_teacher(pending: Iterable[PlannedTrial]) -> list[PlannedTrial]:
    """Return the students of ``pending`` that are not over by now: one alone may be the trial of a teacher."""
    return [trial for trial in pending if trial.role == "student" and not is_over(refreshed(trial).status)]


def students_left(plan: Plan) -> list[PlannedTrial]:
    """Return the students among the trials that ``run`` would train."""
    return [trial for trial in left(plan) if trial.role == "student"]


def steps_left(trial: PlannedTrial) -> int | None:
    """Return how many steps a trial has still to make."""
    steps = trial.estimate.steps
    return None if steps is None else max(0, steps - min(steps, _steps_done(trial, steps) or steps_spared(trial)))


def further(plan: Plan) -> tuple[Further, ...]:
    """Return the trials that an open search may still propose; none if all are known or the budget is spent."""
    found = not_proposed(plan)
    return () if found and Budget(plan).reason else found


def not_proposed(plan: Plan) -> tuple[Further, ...]:
    """Return the trials that an open search would still propose if its budget allowed it."""
    search = plan.study.search
    if not adds_trials(search):
        return ()
    if plan.race:
        return tuple(_further_seeds(plan))
    asked = sum(event["event"] == ASK for event in SearchLog(plan.search_log).read())
    if search.algorithm.has_segments:
        return tuple(_segments(plan, asked))
    points = min((search.samples or 0) - asked, _room(plan))
    return (Further(points * len(search.seeds), tuple(_probes(plan))),) if points > 0 else ()


def is_upper_bound(plan: Plan) -> bool:
    """Return whether fewer trials or steps than planned may be run, as results decide."""
    search = plan.study.search
    budgets = (search.stop_when, search.max_gpu_hours, search.max_hours)
    ends_early = any(budget is not None for budget in budgets)
    return adds_trials(search) or ends_early or not isinstance(search.scheduler, Fifo)


def _further_seeds(plan: Plan) -> Iterator[Further]:
    """Yield the trials that a race has still to admit, those of one length and one student together."""
    state, _ = race_state(plan.study.search, plan.race, rounds_in(SearchLog(plan.search_log).read()))
    alike: dict[Any, list[PlannedTrial]] = {}
    for trial in state.to_come:
        alike.setdefault((trial.estimate.steps, trial.spec.student), []).append(trial)
    for group in alike.values():
        yield Further(len(group), (group[0],))


def _room(plan: Plan) -> int:
    """Return how many points ``search.max_trials`` has room for: the last one may exceed it by its other seeds."""
    search = plan.study.search
    if search.max_trials is None:
        return search.samples or 0
    known = len(plan.students) + len(plan.suggested)
    return math.ceil(max(0, search.max_trials - known) / len(search.seeds))


def _segments(plan: Plan, asked: int) -> Iterator[Further]:
    """Yield the segments that a population has still to train, generation by generation."""
    search, epochs = plan.study.search, schedule_of(plan.study).epochs or 0
    size, room = search.samples or 1, plan.study.search.max_trials
    most = math.inf if room is None else max(0, room - len(plan.students) - len(plan.suggested))
    for begin, end in _generations(search, epochs):
        number = begin // search.population.every_epochs
        count = int(min(most, max(0, (number + 1) * size - max(asked, number * size))))
        most -= count
        if count:
            yield Further(count, (plan.planner.at({}, search.seeds[0], (0, end - begin)),))


def _generations(search: Search, epochs: int) -> Iterator[tuple[int, int]]:
    every = search.population.every_epochs
    return ((begin, min(begin + every, epochs)) for begin in range(0, epochs, every))


def _probes(plan: Plan) -> Iterator[PlannedTrial]:
    """Yield trials at the listed values that change how long a trial is or how fast its steps are."""
    search = plan.study.search
    listed = {
        key: values_of(domain) for key, domain in search.space.items() if isinstance(domain, tuple) and _matters(key)
    }
    combinations = (dict(zip(listed, values, strict=True)) for values in product(*listed.values()))
    for params in islice(combinations, MOST_PROBES):
        yield from _at(plan, params)


def _at(plan: Plan, params: dict[str, JsonValue]) -> Iterator[PlannedTrial]:
    with suppress(ValidationError):  # it fits together with other values only
        yield plan.planner.at(params, plan.study.search.seeds[0])


def _matters(key: str) -> bool:
    return key in LENGTHS or key in ("method", "method.kind") or section_of(key) in ("student", "teacher")


def _steps_done(trial: PlannedTrial, steps: int) -> int:
    history, part = read_history(trial.directory), trial.spec.segment
    before = steps // (part.until_epoch - part.from_epoch) * part.from_epoch if part else 0
    return max(0, history[-1].step - before) if history else 0


def _sum(numbers: Iterable[int | None]) -> int | None:
    found = list(numbers)
    return None if None in found else sum(number for number in found if number is not None)
