"""Turn a study into its trials: every point of the search space with every seed, and the baselines."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from orchestrator.study.conditional import ranges_in
from orchestrator.study.fidelity import at_fidelity, method_at, scales_at, teacher_at
from orchestrator.study.fingerprint import canonical_json, canonical_method
from orchestrator.study.schema import StudySpec, TeacherSection
from orchestrator.study.space import is_listed, is_open, points, values_of
from orchestrator.study.substitute import Searched, SectionName, belonging_to, raw_section, section_of, validated
from trainers.schema.dataset import DatasetSpec
from trainers.schema.detector import Detector
from trainers.schema.method import MethodSpec, NoDistillation
from trainers.schema.schedule import Schedule


@dataclass(frozen=True, slots=True)
class SearchPoint:
    """Hold one trial of a study: its searched values (``params``) and the resulting sections.

    A student that is trained alone has no ``teacher``, and no searched values of one. ``is_baseline`` marks the trials
    that ``search.baseline`` adds.
    """

    params: dict[str, JsonValue]
    seed: int
    dataset: DatasetSpec
    teacher: TeacherSection | None
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
    found = (
        make.section("student", belonging_to("student", params))
        for params in (_places(study, "student") if is_open(study.search) else points(study.search))
    )
    return tuple({section.identity: cast(Detector, section.value) for section in found}.values())


def teachers_of(study: StudySpec) -> tuple[TeacherSection, ...]:
    """Return each teacher that students of the study may learn from once, also those that an open search has not come to."""
    return tuple(section for section, _ in teachers_with_params(study))


def teachers_with_params(study: StudySpec) -> tuple[tuple[TeacherSection, dict[str, JsonValue]], ...]:
    """Return the same with the searched values of each."""
    make, found = _PointFactory(study), dict[str, tuple[TeacherSection, dict[str, JsonValue]]]()
    drawn = study.search.algorithm.draws and not is_open(study.search)
    for params in points(study.search) if drawn else _places(study, "teacher"):
        own = belonging_to("teacher", params)
        section = make.teacher(own)
        if section is not None:
            found.setdefault(section.identity, (cast(TeacherSection, section.value), own))
    return tuple(found.values())


def _places(study: StudySpec, name: SectionName) -> Iterator[dict[str, JsonValue]]:
    """Yield all combinations of the searched values of a section, of ranges their ends."""
    searched = belonging_to(name, {key: list(values_of(domain)) for key, domain in study.search.space.items()})
    for values in itertools.product(*(cast(list[JsonValue], values) for values in searched.values())):
        yield dict(zip(searched, values, strict=True))


def _may_distil(study: StudySpec) -> bool:
    """Return whether an open search can come to a method that needs a teacher."""
    return study.method.kind != "none" or any(section_of(key) == "method" for key in study.search.space)


def _baselines(study: StudySpec, make: "_PointFactory") -> Iterator[tuple["_Identity", SearchPoint]]:
    """Yield method ``none`` at each student, schedule and augmentation of a grid.

    Any other search has the study's own student and schedule, with each augmentation if all are listed.
    """
    for params in _places_alone(study) if study.search.algorithm.draws else points(study.search):
        elsewhere = {key: value for key, value in params.items() if section_of(key) != "method"}
        yield from make.points(elsewhere, is_baseline=True)


def _places_alone(study: StudySpec) -> Iterator[dict[str, JsonValue]]:
    """Yield where a search that draws its points has students alone: at all listed augmentations.

    Where one is drawn from a range, the study's own stands for it: no gain can be told over another augmentation.
    """
    choices: list[list[dict[str, JsonValue]]] = []
    for key, domain in study.search.space.items():
        if section_of(key) == "dataset":
            items = domain if isinstance(domain, tuple) else ()
            listed: list[dict[str, JsonValue]] = [{key: item} for item in items if not ranges_in(item)]
            choices.append(listed if is_listed(domain) else [{}, *listed])
    for chosen in itertools.product(*choices):
        yield {key: value for one in chosen for key, value in one.items()}


_Identity = tuple[str, str, str, str, str, int]  # of method, teacher, dataset, student and schedule, and the seed
NOBODY = "null"  # the identity of no teacher


@dataclass(frozen=True, slots=True)
class _Filled:
    """Hold a section with searched values in it, and one text for all equal ones."""

    value: Searched
    identity: str


def _filled(name: SectionName, value: Searched) -> _Filled:
    plain = canonical_method(cast(MethodSpec, value)) if name == "method" else value.model_dump(mode="json")
    return _Filled(value, canonical_json(plain))


class _PointFactory:
    """Make points, validating each section once for each combination of its own searched values."""

    def __init__(self, study: StudySpec) -> None:
        self.study = study
        self.alone = _filled("method", NoDistillation(kind="none"))
        self.sections: dict[tuple[SectionName, str], _Filled] = {}

    def points(
        self, params: dict[str, JsonValue], *, seeds: Iterable[int] | None = None, is_baseline: bool = False
    ) -> Iterator[tuple[_Identity, SearchPoint]]:
        """Yield the trials of some values, one a seed, with their identity; a baseline's method is ``none``."""
        method = self.alone if is_baseline else self.section("method", belonging_to("method", params))
        student = self.section("student", belonging_to("student", params))
        schedule = self.section("schedule", belonging_to("schedule", params))
        dataset = self.section("dataset", belonging_to("dataset", params))
        alone = isinstance(method.value, NoDistillation)
        teacher = None if alone else self.teacher(belonging_to("teacher", params))
        if alone:
            params = {key: value for key, value in params.items() if section_of(key) != "teacher"}
        for seed in self.study.search.seeds if seeds is None else seeds:
            point = SearchPoint(
                params=params,
                seed=seed,
                dataset=cast(DatasetSpec, dataset.value),
                teacher=cast(TeacherSection, teacher.value) if teacher else None,
                method=cast(MethodSpec, method.value),
                student=cast(Detector, student.value),
                schedule=cast(Schedule, schedule.value),
                is_baseline=is_baseline,
            )
            taught = teacher.identity if teacher else NOBODY
            yield (method.identity, taught, dataset.identity, student.identity, schedule.identity, seed), point

    def teacher(self, own: dict[str, JsonValue]) -> _Filled | None:
        """Return the teacher with its searched values, ``None`` for a study without one."""
        return self.section("teacher", own) if own or self.study.teacher is not None else None

    def section(self, name: SectionName, own: dict[str, JsonValue]) -> _Filled:
        """Return a section with its searched values."""
        key = (name, canonical_json(own))
        if key not in self.sections:
            self.sections[key] = _filled(name, self._value(name, own))
        return self.sections[key]

    def _value(self, name: SectionName, own: dict[str, JsonValue]) -> Searched:
        if name == "dataset":  # the study's own stays the same object: its annotations are read once
            return with_searched(self.study, own) if own else self.study.dataset
        value = validated(name, raw_section(self.study, name, own))
        if isinstance(value, Schedule):
            return at_fidelity(value, self.study.fidelity)
        if name == "method":
            return method_at(cast(MethodSpec, value), self.study)
        return teacher_at(cast(TeacherSection, value), self.study) if name == "teacher" else value


def with_searched(study: StudySpec, own: dict[str, JsonValue]) -> DatasetSpec:
    """Return the dataset of a study with searched values in it."""
    raw = cast(dict[str, JsonValue], raw_section(study, "dataset", own))
    return cast(DatasetSpec, validated("dataset", scales_at(raw, study.fidelity)))
