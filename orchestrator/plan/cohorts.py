"""Group a plan's trials into cohorts, and explain why others are kept apart."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, product

from pydantic import JsonValue, ValidationError

from orchestrator.plan.draws import random_first
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.space import is_open, values_of
from orchestrator.study.substitute import section_of
from trainers.schema.sharing import stream_key

MOST = 8  # students side by side, unless the study says how many: more save little, for teacher and data are a part


@dataclass(frozen=True)
class Cohorts:
    """Hold the cohorts of a plan: at most ``size`` trials each, of one key."""

    size: int
    keys: dict[str, str]
    groups: tuple[tuple[PlannedTrial, ...], ...]

    @property
    def trials(self) -> list[PlannedTrial]:
        """Return all trials, cohort after cohort: started in this order, the members of one come together."""
        return [trial for group in self.groups for trial in group]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Explain why trials that would fit into one cohort are kept apart."""
        first = {self.keys[group[0].id]: group[0] for group in reversed(self.groups)}
        found = [_difference(one, other) for one, other in combinations(first.values(), 2)]
        return tuple(dict.fromkeys(found))


def cohorts(plan: Plan, trials: Sequence[PlannedTrial]) -> Cohorts:
    """Return the cohorts of ``trials``, in their order; a teacher is alone."""
    keys = {trial.id: stream_key(plan.job(trial)) for trial in trials}
    sharing: dict[str, list[PlannedTrial]] = {}
    for trial in trials:
        sharing.setdefault(keys[trial.id], []).append(trial)
    teacher = any(trial.role == "teacher" for trial in trials)
    size = 1 if teacher else _size(plan, max(map(len, sharing.values()), default=1))
    groups = tuple(group for found in sharing.values() for group in _cut(found, size))
    return Cohorts(size, keys, groups)


def probes(plan: Plan) -> list[PlannedTrial]:
    """Return trials as an open search may propose them: with each seed, and each listed value of the keys that cohorts share."""
    search = plan.study.search
    until = search.population.every_epochs if search.algorithm.has_segments else None
    places: list[dict[str, JsonValue]] = [{}]
    for key, domain in search.space.items():
        if isinstance(domain, tuple) and section_of(key) in ("schedule", "teacher", "dataset"):
            places += [{key: value} for value in values_of(domain)]
    found = []
    for params, seed in product(places, search.seeds):
        with suppress(ValidationError):  # it fits together with other values only
            found.append(plan.planner.at(params, seed, (0, until) if until else None))
    return found


def _size(plan: Plan, most: int) -> int:
    """Return the size asked for, at most the ``most`` trials that can share; an open search comes to ``samples`` points.

    ``auto`` is the size that gives every worker group of the cluster something to do, as far as its GPUs have the memory. Of a sequential search no more points
    are then tried at once than it begins with by chance: a point learns nothing from those beside it.
    """
    search, hosts = plan.study.search, max(1, plan.resources.concurrent)
    largest = min(MOST, plan.memory.students or MOST) if plan.memory else MOST
    if is_open(search):
        most = search.samples or 1
    if search.cohort != "auto":
        return min(search.cohort, most)
    if search.algorithm.is_open and search.algorithm.sequential:
        return max(1, min(largest, random_first(most) // hosts))
    return max(1, min(largest, -(-most // hosts)))


def _cut(trials: list[PlannedTrial], size: int) -> list[tuple[PlannedTrial, ...]]:
    return [tuple(trials[first : first + size]) for first in range(0, len(trials), size)]


def _difference(one: PlannedTrial, other: PlannedTrial) -> str:
    """Name the first thing that two trials cannot share a data stream for."""
    mine, theirs = one.spec, other.spec
    if mine.seed != theirs.seed:
        return "other seeds draw other batches"
    if mine.schedule.batch_size != theirs.schedule.batch_size:
        return "batch sizes differ"
    if mine.schedule.closing_epoch != theirs.schedule.closing_epoch:
        return "augmentation changes at different epochs (closing_epochs, other lengths)"
    if mine.dataset != theirs.dataset:
        return "augmentation differs"
    if mine.teacher != theirs.teacher:  # one without has a place beside the students of the first
        return "teachers differ"
    if mine.segment != theirs.segment:
        return "whole trainings go on where a population is compared"
    return "data or placement differ"
