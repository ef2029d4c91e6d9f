"""Apply PKD's loss to the outputs of teacher and student."""

from dataclasses import dataclass

from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.losses import pearson_distillation
from trainers.errors import TrialError
from trainers.schema.terms import Pkd


@dataclass(frozen=True)
class PkdTerm:
    """Pull the student's pyramid features to the teacher's, channel by channel, up to scale and shift.

    Workers: mean and deviation are those of this worker's images, so N workers average N losses of smaller batches.
    """

    spec: Pkd

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times the loss of the finest ``levels`` levels (all, where there are fewer)."""
        student = outputs.student.features[: self.spec.levels]
        teacher = outputs.teacher.features[: self.spec.levels]
        require_equal_channels(student, teacher)
        return self.spec.weight * pearson_distillation(student, teacher)

    def focus(self, outputs: TeacherStudentOutputs) -> None:
        """Return nothing: the term has no anchors."""


def require_equal_channels(student: list[Tensor], teacher: list[Tensor]) -> None:
    """Raise ``TrialError`` when the two pyramids differ in levels or channels."""
    mine, theirs = ([level.shape[1] for level in levels] for levels in (student, teacher))
    if mine != theirs:
        raise TrialError(
            f"pkd needs pyramids of equal channels: the student's levels have {mine}, the teacher's {theirs}"
        )
