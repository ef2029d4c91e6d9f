"""Give the checks their input: the study's sections with every value of the search."""

from dataclasses import dataclass
from typing import Any

from orchestrator.study.draft import Draft
from orchestrator.study.location import Problem
from orchestrator.study.schema import StudySpec, TeacherSection
from orchestrator.study.variants import Forms, Variant, forms_of
from trainers.schema.dataset import DatasetSpec
from trainers.schema.detector import Detector
from trainers.schema.method import MethodSpec
from trainers.schema.schedule import Schedule

NO_FORMS: Forms[Any] = Forms((), ())


@dataclass(frozen=True, slots=True)
class Context:
    """Hold a study under check; a section that is wrong in itself has no variants."""

    study: StudySpec
    methods: tuple[Variant[MethodSpec], ...]
    students: tuple[Variant[Detector], ...]
    schedules: tuple[Variant[Schedule], ...]
    teachers: tuple[Variant[TeacherSection], ...]
    trust_python: bool

    def distilling(self) -> tuple[Variant[MethodSpec], ...]:
        """Return the methods of this study that need a teacher."""
        return tuple(variant for variant in self.methods if variant.section.kind != "none")


def gather(draft: Draft, *, trust_python: bool) -> tuple[Context, list[Problem]]:
    """Return the context of a study, and a problem for each searched value that does not fit its section."""
    study = draft.study
    methods: Forms[MethodSpec] = forms_of(study, "method") if draft.has(["method"]) else NO_FORMS
    students: Forms[Detector] = forms_of(study, "student") if draft.has(["student"]) else NO_FORMS
    schedules: Forms[Schedule] = forms_of(study, "schedule") if draft.has(["schedule"]) else NO_FORMS
    teachers: Forms[TeacherSection] = forms_of(study, "teacher") if draft.has(["teacher"]) else NO_FORMS
    datasets: Forms[DatasetSpec] = forms_of(study, "dataset") if draft.has(["dataset"]) else NO_FORMS
    every: tuple[Forms[Any], ...] = (methods, students, schedules, teachers, datasets)
    problems = [problem for forms in every for problem in forms.problems]
    return Context(
        study, methods.variants, students.variants, schedules.variants, teachers.variants, trust_python
    ), problems
