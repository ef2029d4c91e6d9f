"""Apply CWD's loss to the outputs of teacher and student."""

from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.losses import channel_wise_distillation
from trainers.distill.terms.pyramid import PyramidTerm


class CwdTerm(PyramidTerm):
    """Pull the places where each channel of the pyramid features is active to the teacher's.

    Where channels differ, 1x1 convolutions are trained between them. Workers: a mean over images, so N workers with as
    many images each, of one size, have the loss of one.
    """

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return the weighted loss of the finest ``levels`` levels (all, where there are fewer)."""
        return self.spec.scale * channel_wise_distillation(*self.levels(outputs), temperature=self.spec.temperature)
