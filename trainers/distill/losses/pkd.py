"""Compute the loss of PKD (NeurIPS 2022): Pearson correlation of pyramid features.

Shape suffixes: B images, C channels, H rows and W columns of one level.
"""

from collections.abc import Sequence

from torch import Tensor

from trainers.distill.losses.maps import sum_over_levels
from trainers.distill.losses.statistics import standardise


def pearson_distillation(student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor]) -> Tensor:
    """Pull each channel of each level to the teacher's, up to shift and positive scale.

    ::

        norm(F) = (F - mean) / (std + 1e-6), per channel over batch and space, std unbiased
        loss = sum_levels mean_{B,C,H,W}((norm(s) - norm(t))^2) / 2

    which is about the sum over levels of 1 - r, r being the mean over channels of Pearson's correlation.

    Args:
        student_levels: the student's maps (B, C, H, W), any floating dtype, finest first or in any one order.
        teacher_levels: the teacher's maps in the same order, equal B and C. Where H or W differ, the student's map is
            resized bilinearly (corners not aligned) to the teacher's.

    Returns:
        A scalar, the mean over all elements of a level, summed over levels; the method's weight is the caller's. A level
        of a single value has deviation 0 (unbiased, it would be 0/0) and so contributes 0 with gradient 0, and so does a
        level without any element. A channel that is constant for the student has norm 0 and a gradient of up to 1e6
        divided by the level's number of elements: the formula's own.

    Gradient: to the student's maps only, through their mean and deviation too.

    Workers: mean and deviation are those of this worker's batch. N workers average N such losses, which differs from
    one worker's loss over the same global batch wherever the statistics of the shares differ. Nothing is reduced.

    Source: PKD, equation of the loss, and its code in mmrazor.

    Raises:
        ValueError: no level, other numbers of levels, or a level's images or channels disagree.
    """
    return sum_over_levels(_level, student_levels, teacher_levels)


def _level(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
    difference_BCHW = standardise(student_BCHW) - standardise(teacher_BCHW)
    return difference_BCHW.square().sum() / (2 * max(difference_BCHW.numel(), 1))
