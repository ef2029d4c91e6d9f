"""Compute the loss of MGD (ECCV 2022): the teacher's features, made from a part of the student's.

Shape suffixes: B images, C channels, H rows and W columns of one level.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from trainers.distill.losses.checks import shape_of
from trainers.distill.losses.maps import check_levels, sum_over_levels

Generator = Callable[[Tensor], Tensor]


def masked_generative_distillation(
    student_levels: Sequence[Tensor],
    teacher_levels: Sequence[Tensor],
    kept_levels: Sequence[Tensor],
    generators: Sequence[Generator],
) -> Tensor:
    """Let ``generators`` make the teacher's maps from the places that are kept of the student's.

    ::

        loss = sum_levels 1/B sum_bchw (t - G(s * kept))^2

    Args:
        student_levels: the student's maps (B, C, H, W), any floating dtype, in any one order.
        teacher_levels: the teacher's maps in the same order, equal B and C. Where H or W differ, the student's map is
            resized bilinearly (corners not aligned) to the teacher's, before places are left out.
        kept_levels: which places of the teacher's maps are kept, bool (B, 1, H, W), see ``kept_places``.
        generators: G of each level, from a map to one of the same shape; it computes in float32 or wider.

    Returns:
        A scalar, the sum over a level's elements divided by its images, summed over levels; the method's weight is the
        caller's. It grows with the size of the maps. A level without images contributes 0.

    Gradient: to the student's maps where they are kept, and to the generators' parameters.

    Workers: a mean over this worker's images, so N workers with as many images each have the loss of one worker with
    all of them, where maps have one size. Nothing is reduced.

    Source: MGD, equations 5 and 6; the division by the number of images is that of the authors' code.

    Raises:
        ValueError: no level, other numbers of levels, masks or generators, or a level's shapes disagree.
    """
    check_levels(student_levels, teacher_levels)
    parts = zip(kept_levels, generators, strict=True)

    def level(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
        kept_B1HW, generate = next(parts)
        _check_mask(kept_B1HW, teacher_BCHW)
        return squared_error(generate(student_BCHW * kept_B1HW), teacher_BCHW)

    if len(student_levels) != len(kept_levels):
        raise ValueError(f"{len(student_levels)} levels need as many masks, got {len(kept_levels)}")
    return sum_over_levels(level, student_levels, teacher_levels)


def squared_error(one_BCHW: Tensor, other_BCHW: Tensor) -> Tensor:
    """Sum the squared differences of two maps and divide by the number of images; gradient to both."""
    return (one_BCHW - other_BCHW).square().sum() / max(len(one_BCHW), 1)


def kept_places(seeds: Sequence[int], size: tuple[int, int], ratio: float) -> Tensor:
    """Draw which places of each image's map are kept, bool (B, 1, H, W) on the CPU: each with probability 1 - ``ratio``.

    An image's places are a function of its seed, ``size`` (H, W) and ``ratio``; no global generator is read or moved.
    """
    generator = torch.Generator()
    drawn = [torch.rand(1, *size, generator=generator.manual_seed(seed)) for seed in seeds]
    return torch.stack(drawn) >= ratio if drawn else torch.zeros(0, 1, *size, dtype=torch.bool)


def _check_mask(kept_B1HW: Tensor, map_BCHW: Tensor) -> None:
    images, _, *size = shape_of(map_BCHW)
    if shape_of(kept_B1HW) != (images, 1, *size):
        raise ValueError(f"a mask must be (B, 1, H, W) for maps {shape_of(map_BCHW)}, got {shape_of(kept_B1HW)}")
