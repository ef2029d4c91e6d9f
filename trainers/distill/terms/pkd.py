"""Apply PKD's loss to the outputs of teacher and student."""

from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.losses import pearson_distillation
from trainers.distill.terms.pyramid import PyramidTerm


class PkdTerm(PyramidTerm):
    """Pull the student's pyramid features to the teacher's, channel by channel, up to scale and shift.

    Where channels differ, 1x1 convolutions are trained between them. Workers: mean and deviation are those of this
    worker's images, so N workers average N losses of smaller batches.
    """

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return the weighted loss of the finest ``levels`` levels (all, where there are fewer)."""
        return self.spec.scale * pearson_distillation(*self.levels(outputs))
