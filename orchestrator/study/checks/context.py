"""Give the checks their input: the study's sections with every value of the search."""

from dataclasses import dataclass
from typing import Any

from orchestrator.study.draft import Draft
from orchestrator.study.location import Problem
from orchestrator.study.schema import StudySpec
from orchestrator.study.variants import Forms, Variant, forms_of
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
    problems = [*methods.problems, *students.problems, *schedules.problems]
    return Context(study, methods.variants, students.variants, schedules.variants, trust_python), problems
