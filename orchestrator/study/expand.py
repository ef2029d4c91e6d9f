"""Turn a study into its trials: every point of the search space with every seed, and the baselines."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

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
    searched = [make.point(params, seed) for params in points(study.search) for seed in study.search.seeds]
    distils = any(point.method.kind != "none" for point in searched) or (is_open(study.search) and _may_distil(study))
    baselines = _baselines(study, make) if study.search.baseline and distils else ()
    return tuple(_distinct([*baselines, *searched]))


def point_of(study: StudySpec, params: dict[str, JsonValue], seed: int) -> SearchPoint:
    """Return the trial at one point of the search space.

    Raises ``pydantic.ValidationError`` when the values do not fit together.
    """
    return _PointFactory(study).point(params, seed)


def students_of(study: StudySpec) -> tuple[Detector, ...]:
    """Return all students that the study may train, also those that an open search has not come to."""
    if not is_open(study.search):
        return tuple(point.student for point in expand(study))
    searched = belonging_to("student", {key: list(values_of(domain)) for key, domain in study.search.space.items()})
    combinations = itertools.product(*(cast(list[JsonValue], values) for values in searched.values()))
    make = _PointFactory(study)
    return tuple(make.point(dict(zip(searched, values, strict=True)), 0).student for values in combinations)


def _may_distil(study: StudySpec) -> bool:
    """Return whether an open search can come to a method that needs a teacher."""
    return study.method.kind != "none" or any(section_of(key) == "method" for key in study.search.space)


def _baselines(study: StudySpec, make: "_PointFactory") -> Iterator[SearchPoint]:
    """Yield method ``none`` at each student and schedule of a grid; any other search has one, the study's own."""
    places = iter([{}]) if study.search.algorithm.draws else points(study.search)
    for params in places:
        elsewhere = {key: value for key, value in params.items() if section_of(key) != "method"}
        for seed in study.search.seeds:
            yield make.point(elsewhere, seed, is_baseline=True)


def _distinct(candidates: Iterable[SearchPoint]) -> Iterator[SearchPoint]:
    seen: set[str] = set()
    for point in candidates:
        identity = canonical_json(
            {
                "method": canonical_method(point.method),
                "student": point.student.model_dump(mode="json"),
                "schedule": point.schedule.model_dump(mode="json"),
                "seed": point.seed,
            }
        )
        if identity not in seen:
            seen.add(identity)
            yield point


class _PointFactory:
    """Make points, validating each section once for each combination of its own searched values."""

    def __init__(self, study: StudySpec) -> None:
        self.study = study
        self.sections: dict[tuple[SectionName, str], Searched] = {}

    def point(self, params: dict[str, JsonValue], seed: int, *, is_baseline: bool = False) -> SearchPoint:
        """Return one trial; a baseline's method is always ``none``."""
        method = NoDistillation(kind="none") if is_baseline else cast(MethodSpec, self._section("method", params))
        return SearchPoint(
            params=params,
            seed=seed,
            method=method,
            student=cast(Detector, self._section("student", params)),
            schedule=cast(Schedule, self._section("schedule", params)),
            is_baseline=is_baseline,
        )

    def _section(self, name: SectionName, params: dict[str, JsonValue]) -> Searched:
        own = belonging_to(name, params)
        key = (name, canonical_json(own))
        if key not in self.sections:
            self.sections[key] = validated(name, raw_section(self.study, name, own))
        return self.sections[key]
