"""Compare feature maps place by place, each place weighted by how sure the teacher is of an object there.

Shape suffixes: B images, C channels, H rows and W columns of one level.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainers.distill.losses.checks import shape_of
from trainers.distill.losses.maps import check_levels, sum_over_levels


def score_weighted_distillation(
    student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor], score_levels: Sequence[Tensor]
) -> Tensor:
    """Pull the student's features to the teacher's where the teacher sees objects.

    ::

        loss = sum_levels sum_bi w_bi (mean_c (t_bci - s_bci)^2) / sum_bi w_bi

    Args:
        student_levels: the student's maps (B, C, H, W), any floating dtype, in any one order.
        teacher_levels: the teacher's maps in the same order, equal B and C. Where H or W differ, the student's map is
            resized bilinearly (corners not aligned) to the teacher's.
        score_levels: w, the teacher's highest class score at each place of its maps, (B, 1, H, W), 0 or more.

    Returns:
        A scalar, each level a weighted mean over places, summed over levels; the method's weight is the caller's. A level
        without weight, or without places, contributes 0 with gradient 0.

    Gradient: to the student's maps only.

    Workers: each divides by the weight of its own images, so N workers average N such means. Nothing is reduced.

    Source: feature distillation with score weighting as Ultralytics describes it; the division by the sum of weights is
    ours, and makes the loss independent of how many objects a batch shows.

    Raises:
        ValueError: no level, other numbers of levels, or a level's shapes disagree.
    """
    check_levels(student_levels, teacher_levels)
    if len(score_levels) != len(teacher_levels):
        raise ValueError(f"{len(teacher_levels)} levels need as many score maps, got {len(score_levels)}")
    scores = iter(score_levels)

    def level(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
        score_B1HW = next(scores).detach().to(teacher_BCHW.dtype)
        _check_scores(score_B1HW, teacher_BCHW)
        error_B1HW = (teacher_BCHW - student_BCHW).square().mean(1, keepdim=True)
        tiny = torch.finfo(score_B1HW.dtype).tiny
        return (score_B1HW * error_B1HW).sum() / score_B1HW.sum().clamp(min=tiny)

    return sum_over_levels(level, student_levels, teacher_levels)


def _check_scores(score_B1HW: Tensor, map_BCHW: Tensor) -> None:
    images, _, *size = shape_of(map_BCHW)
    if shape_of(score_B1HW) != (images, 1, *size):
        raise ValueError(f"scores must be (B, 1, H, W) for maps {shape_of(map_BCHW)}, got {shape_of(score_B1HW)}")
