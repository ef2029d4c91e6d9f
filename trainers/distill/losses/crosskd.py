"""Compute CrossKD (CVPR 2024): features matched to a teacher's head, and losses on its predicted boxes.

Its classification loss is BCKD's ``classification_distillation`` with ``gamma`` 1, applied to the teacher head's
outputs for the student's features. Further axes: B images, H rows, W columns, 4 sides or corners of a box, K bins.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from trainers.distill.losses.boxes import paired_giou, paired_iou
from trainers.distill.losses.checks import check_anchor_count, check_boxes, check_distributions, shape_of
from trainers.distill.losses.divergence import softened_divergence
from trainers.distill.losses.precision import autocast_off, widen
from trainers.distill.losses.statistics import mean_and_deviation, standardise
from trainers.distill.losses.weighting import blank, weighted_sum

_IOU_EPS = 1e-6  # smallest union, smallest enclosing area and smallest IoU under a logarithm, mmdet's rule


def align_statistics(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
    """Give each channel of the student's features the mean and deviation of the teacher's, before its head reads them.

    ::

        (s - mean(s)) / (std(s) + 1e-6) * std(t) + mean(t), per channel over batch and space, std unbiased

    Args:
        student_BCHW: the student's features of one level, any floating dtype.
        teacher_BCHW: the teacher's features of the same level, same shape.

    Returns:
        Same shape and dtype as ``student_BCHW``. With a single value a channel (B = H = W = 1), deviations count as 0
        and the result is the teacher's value: there is nothing to distil, and the gradient is 0.

    Gradient: to ``student_BCHW`` only, through its mean and deviation too.

    Workers: statistics are those of this worker's batch, the student's and the teacher's; nothing is reduced. Equal to
    one worker only where the shares of the batch have equal statistics.

    Source: the authors' code; the paper does not print it.

    Raises:
        ValueError: the shapes are not equal and of four axes.
    """
    if student_BCHW.ndim != 4 or student_BCHW.shape != teacher_BCHW.shape:
        raise ValueError(
            f"features must both be (B, C, H, W), got {shape_of(student_BCHW)} and {shape_of(teacher_BCHW)}"
        )
    with autocast_off(student_BCHW):
        student_wide, teacher_wide = widen(student_BCHW, teacher_BCHW.detach())
        mean, deviation = mean_and_deviation(teacher_wide)
        return (standardise(student_wide) * deviation + mean).to(student_BCHW.dtype)


def cross_distribution_distillation(student_A4K: Tensor, teacher_A4K: Tensor, weight_A: Tensor) -> Tensor:
    """Pull each side's distribution over bins to the teacher's, averaged over anchors by weight.

    ::

        loss = sum_i weight_i * mean_sides(KL(softmax(t) || softmax(s)))_i / (sum_i weight_i + eps)

    The divergence is summed over bins: no temperature, no mean as in LD.

    Args:
        student_A4K: logits over bins by the teacher's head for the student's features, any floating dtype.
        teacher_A4K: the teacher's logits for the same anchors, same shape.
        weight_A: the teacher's largest class probability, 0 for anchors that do not count (``peak_probability``). A
            weight of exactly 0 removes the anchor, even if its logits are not finite.

    Returns:
        A scalar; 0 and connected to the graph if there are no anchors or all weights are 0.

    Gradient: to ``student_A4K`` only.

    Workers: the sum of weights is this worker's, as in the authors' code; averaged gradients of N workers are the mean
    of their weighted means, equal to one worker's only where the sums are. Nothing is reduced.

    Source: CrossKD, regression loss for GFL, in the authors' code, which has no ``eps`` (the float32 machine epsilon
    here) and divides 0 by 0 if all weights are 0. The method's weight 4 is the caller's.

    Raises:
        ValueError: shapes disagree.
    """
    check_distributions(student_A4K, teacher_A4K, weight_A)
    with autocast_off(student_A4K):
        student_A4K, teacher_A4K = widen(student_A4K, teacher_A4K.detach())
        student_A4K, teacher_A4K = blank(student_A4K, weight_A), blank(teacher_A4K, weight_A)
        divergence_A4 = softened_divergence(student_A4K, teacher_A4K, 1.0)
        return weighted_sum(divergence_A4.mean(dim=1), weight_A, weight_A.sum(dtype=divergence_A4.dtype))


def cross_box_distillation(
    student_boxes_A4: Tensor,
    teacher_boxes_A4: Tensor,
    weight_A: Tensor,
    normaliser: Tensor | float | None,
    *,
    iou: Literal["giou", "iou", "log_iou"] = "giou",
) -> Tensor:
    """Pull each box that the teacher's head predicts from the student's features onto the teacher's own.

    With ``l`` as ``iou`` says::

        loss = sum_i weight_i * l(IoU_i) / (normaliser + eps)

    Args:
        student_boxes_A4: decoded boxes with x1 <= x2 and y1 <= y2, any unit.
        teacher_boxes_A4: the teacher's boxes for the same anchors, same unit.
        weight_A: as in ``cross_distribution_distillation``.
        normaliser: as in ``classification_distillation``; None leaves the plain sum.
        iou: ``giou`` for 1 - GIoU (the authors' ATSS and RetinaNet), ``log_iou`` for -log(max(IoU, 1e-6)) (their FCOS;
            no gradient where the IoU is below), ``iou`` for 1 - IoU.

    Returns:
        A scalar, summed over anchors; 0 and connected to the graph if there are no anchors.

    Gradient: to ``student_boxes_A4`` only.

    Workers: ``normaliser`` has to be the mean over workers (their code: of the positives for ATSS, of the positives'
    centerness for FCOS; this worker's own positives for RetinaNet). With the mean, averaged gradients of N workers
    equal one worker's for the same global batch.

    Source: CrossKD, regression loss for heads that predict plain boxes, in the authors' code.

    Raises:
        ValueError: shapes disagree, ``iou`` is unknown, or ``normaliser`` is not one positive number.
    """
    if iou not in _BOX_LOSSES:
        raise ValueError(f"iou must be one of {sorted(_BOX_LOSSES)}, got {iou!r}")
    check_boxes("student", student_boxes_A4, "teacher", teacher_boxes_A4)
    check_anchor_count(student_boxes_A4, weight_A)
    student_boxes_A4 = blank(student_boxes_A4, weight_A)
    teacher_boxes_A4 = blank(teacher_boxes_A4.detach(), weight_A)
    with autocast_off(student_boxes_A4):
        return weighted_sum(_BOX_LOSSES[iou](student_boxes_A4, teacher_boxes_A4), weight_A, normaliser)


def _giou_loss(student_boxes_A4: Tensor, teacher_boxes_A4: Tensor) -> Tensor:
    return 1.0 - paired_giou(student_boxes_A4, teacher_boxes_A4, _IOU_EPS)


def _iou_loss(student_boxes_A4: Tensor, teacher_boxes_A4: Tensor) -> Tensor:
    return 1.0 - paired_iou(student_boxes_A4, teacher_boxes_A4, _IOU_EPS)


def _log_iou_loss(student_boxes_A4: Tensor, teacher_boxes_A4: Tensor) -> Tensor:
    return -paired_iou(student_boxes_A4, teacher_boxes_A4, _IOU_EPS).clamp(min=_IOU_EPS).log()


_BOX_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "giou": _giou_loss,
    "iou": _iou_loss,
    "log_iou": _log_iou_loss,
}
