"""Compute the losses of FGD (CVPR 2022): features weighed by objects and by the teacher's attention, and their context.

Shape suffixes: B images, C channels, H rows and W columns of one level, G objects of one image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.distill.losses.maps import matched
from trainers.distill.losses.mgd import squared_error
from trainers.distill.losses.precision import autocast_off, widen


@dataclass(frozen=True)
class FocalWeights:
    """Weigh the parts of FGD's focal loss: alpha, beta and gamma of the paper."""

    foreground: float
    background: float
    attention: float


def focal_distillation(
    student_BCHW: Tensor, teacher_BCHW: Tensor, objects: Sequence[Tensor], weights: FocalWeights, *, temperature: float
) -> Tensor:
    """Pull one level of the student to the teacher's, foreground and background apart, where the teacher attends.

    ::

        A_S(F)_bi = H W softmax over places i of (mean_c |F_bci| / T)       spatial attention
        A_C(F)_bc = C softmax over channels c of (mean_i |F_bci| / T)       channel attention
        loss = 1/B sum_bci (alpha M_bi + beta N_bi) A_S(t)_bi A_C(t)_bc (t_bci - s_bci)^2
             + gamma / B (sum_bi |A_S(t) - A_S(s)| + sum_bc |A_C(t) - A_C(s)|)

    M and N are ``foreground_and_background``'s.

    Args:
        student_BCHW: the student's map, any floating dtype; resized bilinearly to the teacher's where H or W differ.
        teacher_BCHW: the teacher's map, equal B and C.
        objects: each image's objects, (G, 4): x1, y1, x2, y2 as shares of the padded image's width and height.
        weights: alpha, beta and gamma.
        temperature: T, above 0.

    Returns:
        A scalar, the mean over images of the sum over elements. 0 where there are no images.

    Gradient: to the student's map only.

    Workers: a mean over this worker's images, so N workers with as many images each and maps of one size have the loss
    of one worker with all of them. Nothing is reduced.

    Source: FGD, equations 2 to 8. The authors' code scales boxes by the image's own size, though the map shows the padded
    image, and swaps rows and columns of the foreground; both are as the paper says here.

    Raises:
        ValueError: shapes disagree, or ``temperature`` is not positive.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if len(objects) != len(teacher_BCHW):
        raise ValueError(f"{len(teacher_BCHW)} images need as many sets of objects, got {len(objects)}")
    with autocast_off(student_BCHW):
        student_BCHW, teacher_BCHW = matched(student_BCHW, teacher_BCHW)
        theirs, mine = (attention(found, temperature) for found in (teacher_BCHW, student_BCHW))
        height, width = teacher_BCHW.shape[2:]
        object_BHW, rest_BHW = foreground_and_background(objects, (height, width), teacher_BCHW)
        place_BHW = (weights.foreground * object_BHW + weights.background * rest_BHW) * theirs[0]
        weight_BCHW = place_BHW[:, None] * theirs[1][:, :, None, None]
        features = (weight_BCHW * (teacher_BCHW - student_BCHW).square()).sum()
        attentions = sum((t - s).abs().sum() for t, s in zip(theirs, mine, strict=True))
        return (features + weights.attention * attentions) / max(len(teacher_BCHW), 1)


def attention(map_BCHW: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Return how much places, (B, H, W), and channels, (B, C), are attended to; both are 1 on the mean."""
    channels, height, width = map_BCHW.shape[1:]
    strength_BCHW = map_BCHW.abs()
    place_BP = (strength_BCHW.mean(1).flatten(1) / temperature).softmax(1)
    channel_BC = (strength_BCHW.mean((2, 3)) / temperature).softmax(1)
    return (height * width * place_BP).unflatten(1, (height, width)), channels * channel_BC


@torch.no_grad()
def foreground_and_background(objects: Sequence[Tensor], size: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Weigh the places of each image's map (H, W) = ``size``: those of objects, and those of none; both (B, H, W).

    An object reaches from the cell that its low corner lies in to the one after its high corner, both included, as in
    the authors' code. Each of these places weighs 1 over their number; the smallest object counts where several overlap.
    The places of no object share a weight of 1. ``like`` gives dtype and device.
    """
    found = [_places(objects_G4.to(like), size) for objects_G4 in objects]
    foreground = torch.stack(found) if found else like.new_zeros(0, *size)
    free = (foreground == 0).to(like.dtype)
    return foreground, free / free.sum((1, 2), keepdim=True).clamp(min=1.0)


def _places(objects_G4: Tensor, size: tuple[int, int]) -> Tensor:
    if not len(objects_G4):
        return objects_G4.new_zeros(size)
    height, width = size
    across, down = (_span(objects_G4[:, i::2], count) for i, count in enumerate((width, height)))
    inside_GHW = down[0][:, :, None] & across[0][:, None, :]
    weight_G = 1.0 / (down[1] * across[1])
    return (inside_GHW * weight_G[:, None, None]).amax(0)


def _span(ends_G2: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which of ``count`` cells each object reaches, bool (G, count), and how many, also beyond the map, (G,)."""
    low_G, high_G = (ends_G2[:, 0] * count).floor(), (ends_G2[:, 1] * count).ceil()
    cell = torch.arange(count, device=ends_G2.device)
    return (cell >= low_G[:, None]) & (cell <= high_G[:, None]), high_G - low_G + 1


def global_distillation(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
    """Compare both maps after each has taken in its own context: 1/B sum_bci (R(t) - R(s))^2.

    The relation R of each side is a module that is trained beside the student, so gradient flows through both; callers
    have detached the teacher's features from the teacher. Computed in float32 or wider.

    Source: FGD, equations 9 and 10. Workers: as ``focal_distillation``.
    """
    with autocast_off(student_BCHW):
        return squared_error(*widen(student_BCHW, teacher_BCHW))
