"""Compute the loss of CWD (ICCV 2021): where each channel of a feature map is active.

Shape suffixes: B images, C channels, H rows and W columns of one level.
"""

from collections.abc import Sequence

from torch import Tensor

from trainers.distill.losses.divergence import softened_divergence
from trainers.distill.losses.maps import sum_over_levels


def channel_wise_distillation(
    student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor], *, temperature: float = 1.0
) -> Tensor:
    """Pull the places where each of the student's channels is active to the teacher's.

    ::

        p(F)_bci = softmax over places i of F_bci / T
        loss = sum_levels T^2 / (B C) sum_bc KL(p(t)_bc || p(s)_bc)

    Args:
        student_levels: the student's maps (B, C, H, W), any floating dtype, in any one order.
        teacher_levels: the teacher's maps in the same order, equal B and C. Where H or W differ, the student's map is
            resized bilinearly (corners not aligned) to the teacher's.
        temperature: T, above 0.

    Returns:
        A scalar, the mean over images and channels, summed over levels; the method's weight is the caller's. A constant
        added to a channel changes nothing. A level of one place, or without images, contributes 0 with gradient 0.

    Gradient: to the student's maps only.

    Workers: a mean over this worker's images, so N workers with as many images each and maps of one size have the loss
    of one worker with all of them. Nothing is reduced.

    Source: CWD, equations 4 and 5; the mean over images is that of its code in mmrazor.

    Raises:
        ValueError: no level, other numbers of levels, a level's images or channels disagree, or ``temperature`` is not
            positive.
    """

    def level(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
        divergence_BC = softened_divergence(student_BCHW.flatten(2), teacher_BCHW.flatten(2), temperature)
        return divergence_BC.sum() / max(divergence_BC.numel(), 1)

    return sum_over_levels(level, student_levels, teacher_levels)
