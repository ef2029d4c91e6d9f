"""Bring the feature maps of two pyramids to one shape, level by level.

Shape suffixes: B images, C channels, H rows and W columns of one level.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from trainers.distill.losses.checks import shape_of
from trainers.distill.losses.precision import autocast_off, widen


def check_levels(student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor]) -> None:
    """Refuse pyramids without levels, or of different numbers of levels."""
    if not student_levels or len(student_levels) != len(teacher_levels):
        raise ValueError(
            f"student and teacher must have equally many levels, at least 1: got {len(student_levels)} and "
            f"{len(teacher_levels)}"
        )


def check_maps(student_BCHW: Tensor, teacher_BCHW: Tensor) -> None:
    """Refuse maps that are not both (B, C, H, W) with equal B and C."""
    shapes = shape_of(student_BCHW), shape_of(teacher_BCHW)
    if any(len(shape) != 4 for shape in shapes) or shapes[0][:2] != shapes[1][:2]:
        raise ValueError(f"maps must both be (B, C, H, W) with equal B and C, got {shapes[0]} and {shapes[1]}")


def resized(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
    """Resize the student's map bilinearly (corners not aligned) to the teacher's; a map of that size is returned as it is."""
    size = teacher_BCHW.shape[2:]
    if student_BCHW.shape[2:] == size:
        return student_BCHW
    return F.interpolate(student_BCHW, size=size, mode="bilinear", align_corners=False)


def matched(student_BCHW: Tensor, teacher_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return both maps in one dtype (float32 or wider) and in the teacher's size, the teacher's without graph."""
    check_maps(student_BCHW, teacher_BCHW)
    student_BCHW, teacher_BCHW = widen(student_BCHW, teacher_BCHW.detach())
    return resized(student_BCHW, teacher_BCHW), teacher_BCHW


def sum_over_levels(
    loss: Callable[[Tensor, Tensor], Tensor], student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor]
) -> Tensor:
    """Sum ``loss(student, teacher)`` over the levels of two pyramids; each call gets ``matched`` maps, autocast is off."""
    check_levels(student_levels, teacher_levels)
    with autocast_off(student_levels[0]):
        pairs = [matched(*pair) for pair in zip(student_levels, teacher_levels, strict=True)]
        return torch.stack([loss(*pair) for pair in pairs]).sum()
