"""Turn a study into its trials: every point of the search space with every seed, and the baselines."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from orchestrator.study.fidelity import at_fidelity
from orchestrator.study.fingerprint import canonical_json, canonical_method
from orchestrator.study.schema import StudySpec
from orchestrator.study.space import is_open, points, values_of
from orchestrator.study.substitute import Searched, SectionName, belonging_to, raw_section, section_of, validated
from trainers.schema.detector import Detector
from trainers.schema.method import MethodSpec, NoDistillation
from trainers.schema.schedule import Schedule


@dataclass(frozen=True, slots=True)
class SearchPoint:
    """Hold one trial of a study: its searched values (``params``) and the resulting sections.

    ``is_baseline`` marks the trials that ``search.baseline`` adds.
    """

    params: dict[str, JsonValue]
    seed: int
    method: MethodSpec
    student: Detector
    schedule: Schedule
    is_baseline: bool


def expand(study: StudySpec) -> tuple[SearchPoint, ...]:
    """Return the study's trials in a fixed order, baselines first; of equal trials only the first is kept.

    Raises ``pydantic.ValidationError`` when a searched value does not fit, which ``load_study`` reports beforehand.
    """
    make = _PointFactory(study)
    searched = [point for params in points(study.search) for point in make.points(params)]
    distils = any(point.method.kind != "none" for _, point in searched) or (
        is_open(study.search) and _may_distil(study)
    )
    baselines = _baselines(study, make) if study.search.baseline and distils else ()
    distinct: dict[_Identity, SearchPoint] = {}
    for identity, point in itertools.chain(baselines, searched):
        distinct.setdefault(identity, point)
    return tuple(distinct.values())


def point_of(study: StudySpec, params: dict[str, JsonValue], seed: int) -> SearchPoint:
    """Return the trial at one point of the search space.

    Raises ``pydantic.ValidationError`` when the values do not fit together.
    """
    ((_, point),) = _PointFactory(study).points(params, seeds=(seed,))
    return point


def students_of(study: StudySpec) -> tuple[Detector, ...]:
    """Return each student that the study may train once, also those that an open search has not come to."""
    make = _PointFactory(study)
    found = (make.section("student", belonging_to("student", params)) for params in _all_points(study))
    return tuple({section.identity: cast(Detector, section.value) for section in found}.values())


def _all_points(study: StudySpec) -> Iterator[dict[str, JsonValue]]:
    """Yield the points of a search; of an open one all combinations of the ends of its student's ranges."""
    if not is_open(study.search):
        yield from points(study.search)
        return
    searched = belonging_to("student", {key: list(values_of(domain)) for key, domain in study.search.space.items()})
    for values in itertools.product(*(cast(list[JsonValue], values) for values in searched.values())):
        yield dict(zip(searched, values, strict=True))


def _may_distil(study: StudySpec) -> bool:
    """Return whether an open search can come to a method that needs a teacher."""
    return study.method.kind != "none" or any(section_of(key) == "method" for key in study.search.space)


def _baselines(study: StudySpec, make: "_PointFactory") -> Iterator[tuple["_Identity", SearchPoint]]:
    """Yield method ``none`` at each student and schedule of a grid; any other search has one, the study's own."""
    places = iter([{}]) if study.search.algorithm.draws else points(study.search)
    for params in places:
        elsewhere = {key: value for key, value in params.items() if section_of(key) != "method"}
        yield from make.points(elsewhere, is_baseline=True)


_Identity = tuple[str, str, str, int]  # of method, student and schedule, and the seed


@dataclass(frozen=True, slots=True)
class _Filled:
    """Hold a section with searched values in it, and one text for all equal ones."""

    value: Searched
    identity: str


def _filled(value: Searched) -> _Filled:
    plain = value.model_dump(mode="json") if isinstance(value, Detector | Schedule) else canonical_method(value)
    return _Filled(value, canonical_json(plain))


class _PointFactory:
    """Make points, validating each section once for each combination of its own searched values."""

    def __init__(self, study: StudySpec) -> None:
        self.study = study
        self.alone = _filled(NoDistillation(kind="none"))
        self.sections: dict[tuple[SectionName, str], _Filled] = {}

    def points(
        self, params: dict[str, JsonValue], *, seeds: Iterable[int] | None = None, is_baseline: bool = False
    ) -> Iterator[tuple[_Identity, SearchPoint]]:
        """Yield the trials of some values, one a seed, with their identity; a baseline's method is ``none``."""
        method = self.alone if is_baseline else self.section("method", belonging_to("method", params))
        student = self.section("student", belonging_to("student", params))
        schedule = self.section("schedule", belonging_to("schedule", params))
        for seed in self.study.search.seeds if seeds is None else seeds:
            point = SearchPoint(
                params=params,
                seed=seed,
                method=cast(MethodSpec, method.value),
                student=cast(Detector, student.value),
                schedule=cast(Schedule, schedule.value),
                is_baseline=is_baseline,
            )
            yield (method.identity, student.identity, schedule.identity, seed), point

    def section(self, name: SectionName, own: dict[str, JsonValue]) -> _Filled:
        """Return a section with its searched values."""
        key = (name, canonical_json(own))
        if key not in self.sections:
            value = validated(name, raw_section(self.study, name, own))
            self.sections[key] = _filled(
                at_fidelity(value, self.study.fidelity) if isinstance(value, Schedule) else value
            )
        return self.sections[key]
