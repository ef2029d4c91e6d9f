"""Give the checks what they look at: the study's sections in all forms that the search gives them."""

from dataclasses import dataclass

from orchestrator.study.draft import Draft
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.schema import Study
from orchestrator.study.variants import Variant, variants_of


@dataclass(frozen=True, slots=True)
class Context:
    """Hold a study under check; a section that is wrong in itself has no variants."""

    study: Study
    method: tuple[Variant, ...]
    student: tuple[Variant, ...]
    schedule: tuple[Variant, ...]
    trust_python: bool

    def distilling(self) -> tuple[Variant, ...]:
        """Return the methods of this study that need a teacher."""
        return tuple(variant for variant in self.method if variant.section.kind != "none")


def gather(draft: Draft, *, trust_python: bool) -> tuple[Context, list[Problem]]:
    """Return the context of a study, and the searched values that fit their section in no form."""
