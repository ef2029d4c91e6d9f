"""Compute the response part of GID (CVPR 2021): where student and teacher disagree most, and the loss there."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import nms

from trainers.distill.losses.checks import check_anchor_count, check_boxes, check_logit_pair, check_logits, shape_of
from trainers.distill.losses.precision import autocast_off, widen
from trainers.distill.losses.weighting import blank, weighted_sum


@torch.no_grad()
def general_instances(
    student_AC: Tensor,
    teacher_AC: Tensor,
    student_boxes_A4: Tensor,
    teacher_boxes_A4: Tensor,
    num_images: int,
    *,
    image_sizes: Sequence[tuple[int, int]] | None = None,
    top_k: int = 10,
    iou: float = 0.3,
    pre: int = 3000,
    min_side: float = 10.0,
    gap: Literal["score", "class"] = "score",
) -> list[Tensor]:
    """Select each image's general instances: the boxes where the two detectors disagree most about the score.

    With ``p = sigmoid(logit)``, each anchor's gap g is ``|max_c p_t - max_c p_s|`` (``score``) or
    ``max_c |p_t - p_s|`` (``class``), and its box the teacher's where p_t is larger in that comparison, else the
    student's. Of each image, the ``pre`` anchors of largest gap are clipped to the image, those without both sides above
    ``min_side`` dropped, and of the anchors that non-maximum suppression by gap keeps, the first ``top_k`` are
    returned.

    Args:
        student_AC: the student's class logits, image by image, equally many anchors each.
        teacher_AC: the teacher's logits for the same anchors.
        student_boxes_A4: decoded boxes x1, y1, x2, y2 in pixels of the network's input, all levels in one unit.
        teacher_boxes_A4: the teacher's boxes for the same anchors.
        num_images: B; A must be a multiple of it.
        image_sizes: (height, width) of each image without padding, to clip boxes to. None does not clip: boxes in the
            padding stay.
        top_k: boxes of an image at most.
        iou: boxes that overlap a kept one by more are suppressed, across classes and levels.
        pre: anchors of an image that enter the suppression, at most.
        min_side: in pixels.
        gap: ``score`` (the authors' public code) or ``class`` (the paper's formula, from LD's code).

    Returns:
        For each image boxes (G, 4), G <= ``top_k`` and perhaps 0, by falling gap, float32 or wider. An anchor with a gap
        or box that is not finite is dropped (the authors' code raises an error).

    Gradient: none. Waits for the device: numbers of boxes depend on values.

    Workers: an image's boxes depend on that image only; nothing to reduce.

    Source: GID, general instance selection, and the first author's public re-implementation.

    Raises:
        ValueError: shapes disagree, A is no multiple of ``num_images``, or ``gap`` is unknown.
    """
    _check(student_AC, teacher_AC, student_boxes_A4, teacher_boxes_A4, num_images, image_sizes)
    with autocast_off(student_AC):
        student_AC, teacher_AC = widen(student_AC, teacher_AC)
        gap_A, teacher_wins_A = _gap(student_AC, teacher_AC, gap)
        student_boxes_A4, teacher_boxes_A4 = widen(student_boxes_A4, teacher_boxes_A4)
        boxes_A4 = torch.where(teacher_wins_A[:, None], teacher_boxes_A4, student_boxes_A4)
        each = len(gap_A) // num_images
        sizes = [None] * num_images if image_sizes is None else image_sizes
        return [
            _instances(gap_M, boxes_M4, size, pre, min_side, iou)[:top_k]
            for gap_M, boxes_M4, size in zip(
                gap_A.view(num_images, each), boxes_A4.view(num_images, each, 4), sizes, strict=True
            )
        ]


def gid_response(
    student_AC: Tensor,
    teacher_AC: Tensor,
    student_deltas_A4: Tensor,
    teacher_deltas_A4: Tensor,
    matched_A: Tensor,
    *,
    cls_weight: float = 0.1,
    box_weight: float = 1.0,
) -> Tensor:
    """Pull the student's class probabilities and raw box regression to the teacher's on matched anchors.

    ::

        loss = sum_{i matched} (cls_weight * sum_c BCEWithLogits(s_ic, sigmoid(t_ic))
                                + box_weight * sum_4 |d_s - d_t|_i) / max(number matched, 1)

    Args:
        student_AC: the student's class logits, any floating dtype.
        teacher_AC: the teacher's logits for the same anchors, same shape.
        student_deltas_A4: the student's box regression, in the coding that its head is trained in.
        teacher_deltas_A4: the teacher's, in the same coding.
        matched_A: bool, True where the student's own assigner gives the anchor to a general instance. All others are
            removed: neither loss nor gradient sees them, even if they are not finite.
        cls_weight: alpha.
        box_weight: beta.

    Returns:
        A scalar, averaged over matched anchors; 0 and connected to the graph if there are none.

    Gradient: to ``student_AC`` and ``student_deltas_A4`` only. BCE is that of the formula and has the teacher's entropy
    as its minimum, not 0; where deltas are equal, the gradient of their distance is 0.

    Workers: divided by this worker's own matched anchors, as in the authors' code; averaged gradients of N workers are
    the mean of their means, equal to one worker's only where the numbers are. Nothing is reduced.

    Source: GID, response distillation, and the first author's public re-implementation.

    Raises:
        ValueError: shapes disagree.
        TypeError: ``matched_A`` is not bool.
    """
    check_logits(student_AC, teacher_AC, matched_A)
    check_boxes("student", student_deltas_A4, "teacher", teacher_deltas_A4)
    check_anchor_count(student_deltas_A4, matched_A)
    if matched_A.dtype != torch.bool:
        raise TypeError(f"matched must be bool, got {matched_A.dtype}")
    with autocast_off(student_AC):
        loss_A = cls_weight * _cross_entropy(student_AC, teacher_AC, matched_A)
        loss_A = loss_A + box_weight * _distance(student_deltas_A4, teacher_deltas_A4, matched_A)
        return weighted_sum(loss_A, matched_A, None) / matched_A.sum().clamp(min=1)


def _gap(student_AC: Tensor, teacher_AC: Tensor, gap: str) -> tuple[Tensor, Tensor]:
    """Return each anchor's gap and whether the teacher is the surer one."""
    student_AC, teacher_AC = student_AC.sigmoid(), teacher_AC.sigmoid()
    if gap == "score":
        lead_A = teacher_AC.amax(dim=1) - student_AC.amax(dim=1)
    elif gap == "class":
        lead_AC = teacher_AC - student_AC
        lead_A = lead_AC.gather(1, lead_AC.abs().argmax(dim=1, keepdim=True)).squeeze(1)
    else:
        raise ValueError(f"gap must be 'score' or 'class', got {gap!r}")
    return lead_A.abs(), lead_A > 0


def _instances(
    gap_M: Tensor, boxes_M4: Tensor, size: tuple[int, int] | None, pre: int, min_side: float, iou: float
) -> Tensor:
    """Return one image's boxes that suppression keeps, by falling gap."""
    finite_M = gap_M.isfinite() & boxes_M4.isfinite().all(dim=1)
    gap_M, boxes_M4 = gap_M[finite_M], boxes_M4[finite_M]
    gap_M, order_M = gap_M.sort(descending=True, stable=True)
    gap_M, boxes_M4 = gap_M[:pre], _clip(boxes_M4[order_M[:pre]], size)
    large_M = (boxes_M4[:, 2:] - boxes_M4[:, :2] > min_side).all(dim=1)
    gap_M, boxes_M4 = gap_M[large_M], boxes_M4[large_M]
    return boxes_M4[nms(boxes_M4, gap_M.to(boxes_M4.dtype), iou)]


def _clip(boxes_M4: Tensor, size: tuple[int, int] | None) -> Tensor:
    if size is None:
        return boxes_M4
    height, width = size
    x_M2, y_M2 = boxes_M4[:, 0::2].clamp(0, width), boxes_M4[:, 1::2].clamp(0, height)
    return torch.stack([x_M2[:, 0], y_M2[:, 0], x_M2[:, 1], y_M2[:, 1]], dim=1)


def _cross_entropy(student_AC: Tensor, teacher_AC: Tensor, matched_A: Tensor) -> Tensor:
    student_AC, teacher_AC = widen(student_AC, teacher_AC.detach())
    student_AC, teacher_AC = blank(student_AC, matched_A), blank(teacher_AC, matched_A)
    return F.binary_cross_entropy_with_logits(student_AC, teacher_AC.sigmoid(), reduction="none").sum(dim=1)


def _distance(student_A4: Tensor, teacher_A4: Tensor, matched_A: Tensor) -> Tensor:
    student_A4, teacher_A4 = widen(student_A4, teacher_A4.detach())
    return (blank(student_A4, matched_A) - blank(teacher_A4, matched_A)).abs().sum(dim=1)


def _check(
    student_AC: Tensor,
    teacher_AC: Tensor,
    student_boxes_A4: Tensor,
    teacher_boxes_A4: Tensor,
    num_images: int,
    image_sizes: Sequence[tuple[int, int]] | None,
) -> None:
    check_logit_pair(student_AC, teacher_AC)
    check_boxes("student", student_boxes_A4, "teacher", teacher_boxes_A4)
    if len(student_boxes_A4) != len(student_AC):
        raise ValueError(f"boxes of shape {shape_of(student_boxes_A4)} do not fit logits {shape_of(student_AC)}")
    if num_images < 1 or len(student_AC) % num_images:
        raise ValueError(f"{len(student_AC)} anchors cannot be those of {num_images} images of equal size")
    if image_sizes is not None and len(image_sizes) != num_images:
        raise ValueError(f"image_sizes has {len(image_sizes)} sizes for {num_images} images")
