"""Compare the pyramid features of student and teacher, level by level."""

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor, nn

from trainers.distill.connectors import Pyramids
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.errors import TrialError


@dataclass(frozen=True)
class PyramidTerm:
    """Hold the settings that terms on pyramid features share: the compared pyramids, and the connectors between them.

    Without ``pyramids`` the finest levels of both are compared as they are. ``connector`` has a part called
    ``projectors``, one a level, where channels differ, and parts of the term's own.
    """

    spec: Any
    pyramids: Pyramids | None = None
    connector: nn.ModuleDict | None = None

    @classmethod
    def between(cls, spec: Any, pyramids: Pyramids | None) -> Self:
        """Return the term with its connectors, which are made where the pyramids are known."""
        parts = {} if pyramids is None else cls.parts(spec, pyramids)
        return cls(spec, pyramids, nn.ModuleDict(parts) if parts else None)

    @classmethod
    def parts(cls, spec: Any, pyramids: Pyramids) -> dict[str, nn.Module]:
        """Return the modules that are trained for the term, by name; empty where there are none."""
        return projecting(spec, pyramids)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...] | None:
        """Return the compared levels, of the student and of the teacher; ``None`` for the finest of both."""
        return None if self.pyramids is None else self.pyramids.common(self.spec.levels)

    def levels(self, outputs: TeacherStudentOutputs) -> tuple[list[Tensor], list[Tensor]]:
        """Return the student's maps, projected, and the teacher's, of the levels that are compared."""
        mine, theirs = outputs.student.features, outputs.teacher.features
        pairs = self.pairs or [(level, level) for level in range(min(self.spec.levels, len(mine), len(theirs)))]
        student, teacher = [mine[level] for level, _ in pairs], [theirs[level] for _, level in pairs]
        if self.connector is not None and "projectors" in self.connector:
            student = [layer(level) for layer, level in zip(self.part("projectors"), student, strict=True)]
        require_equal_channels(self.spec.kind, student, teacher)
        return student, teacher

    def part(self, name: str) -> Any:
        """Return the layers of one part, a list over levels; raise ``TrialError`` when the term was built without."""
        if self.connector is None:
            raise TrialError(f"{self.spec.kind} trains a part of its own: it has to be built with its teacher")
        return self.connector[name]

    def focus(self, outputs: TeacherStudentOutputs) -> None:
        """Return nothing: the term has no anchors."""


def projecting(spec: Any, pyramids: Pyramids, *, always: bool = False) -> dict[str, nn.Module]:
    """Return the projectors of a term as a part, an empty dictionary where it needs none."""
    found = pyramids.projectors(spec.kind, spec.levels, always=always)
    return {} if found is None else {"projectors": found}


def require_equal_channels(kind: str, student: list[Tensor], teacher: list[Tensor]) -> None:
    """Raise ``TrialError`` when the two pyramids differ in channels."""
    mine, theirs = ([level.shape[1] for level in levels] for levels in (student, teacher))
    if mine != theirs:
        raise TrialError(
            f"{kind} needs pyramids of equal channels: the student's levels have {mine}, the teacher's {theirs}"
        )
