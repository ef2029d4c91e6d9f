"""Compute the losses of BCKD (ICCV 2023): binary classification distillation and IoU-based localization distillation.

A level has no axis of its own: its gate (``levels.level_gate``) and the label weights are multiplied into ``weight_A`` by the
caller, so that one kernel serves all levels. Nothing here waits for the device: no value of a tensor is read on the host.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from trainers.distill.losses.boxes import paired_giou, paired_iou
from trainers.distill.losses.checks import check_anchor_count, check_boxes, check_logits
from trainers.distill.losses.disagreement import disagreement_entropy, peak_disagreement
from trainers.distill.losses.precision import autocast_off, widen
from trainers.distill.losses.weighting import blank, weighted_sum

_OVERLAPS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {"giou": paired_giou, "iou": paired_iou}


def classification_distillation(
    student_AC: Tensor,
    teacher_AC: Tensor,
    weight_A: Tensor,
    normaliser: Tensor | float | None,
    *,
    gamma: float = 1.0,
    detach_weight: bool = False,
) -> Tensor:
    """Pull each class probability of the student to the teacher's, hardest where the two disagree most.

    With ``p = sigmoid(logit)``, one independent binary problem per anchor and class::

        loss = sum_i weight_i * sum_j |p_t - p_s|_ij ** gamma * BCEWithLogits(s_ij, p_t_ij) / (normaliser + eps)

    Args:
        student_AC: the student's class logits, any floating dtype.
        teacher_AC: the teacher's logits for the same anchors, same shape.
        weight_A: float or bool, 1 where the anchor counts; label weight times level gate. A weight of exactly 0 removes
            the anchor: neither loss nor gradient sees its logits, even if they are not finite.
        normaliser: number of positives, on the host or as a tensor of one element, to which the float32 machine epsilon
            is added as in the authors' code. None leaves the plain sum, without epsilon.
        gamma: power of the disagreement, at least 1; below 1 its derivative at ``p_s == p_t`` would be infinite.
        detach_weight: treat the disagreement as a constant. That is another method (at p_t = .9, p_s = .1 the gradient
            is -.640 in place of -.827) and exists for ablations.

    Returns:
        A scalar, summed over classes and anchors; 0 and connected to the graph if there are no anchors.

    Gradient: to ``student_AC`` only, through the logit of the cross-entropy and, unless ``detach_weight``, through the
    disagreement. None to teacher, weight and normaliser.

    Workers: ``normaliser`` has to be the mean over workers of the positives, at least 1. Data-parallel averaging of the
    gradients then gives the sum over all workers divided by the sum of positives, which equals the gradient of one
    worker for the same global batch, as long as a level gate passes the same levels on each worker (see
    ``level_gate``).

    Source: BCKD, equation of the classification term, and lines 4 to 9 of Algorithm A1 in its supplement. The algorithm
    prints a plain sum over all anchors and ``BCE`` of two undefined symbols; the authors' code, followed here, takes the
    cross-entropy of the student's logit against the teacher's probability, divides by the positives and gates levels.

    Raises:
        ValueError: shapes disagree, ``gamma`` is below 1, or ``normaliser`` is not one positive number.
    """
    return classification_and_peak(
        student_AC, teacher_AC, weight_A, normaliser, gamma=gamma, detach_weight=detach_weight
    )[0]


def classification_and_peak(
    student_AC: Tensor,
    teacher_AC: Tensor,
    weight_A: Tensor,
    normaliser: Tensor | float | None,
    *,
    gamma: float = 1.0,
    detach_weight: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return ``classification_distillation``, and each anchor's largest disagreement where it comes for nothing.

    That is ``max_j |p_t - p_s|_ij`` without graph, (A,), 0 where the weight is 0: the argument ``peak_A`` of
    ``localization_distillation`` for the same anchors. It is ``None`` unless ``gamma`` is 1.
    """
    if not gamma >= 1.0:
        raise ValueError(f"gamma must be at least 1, got {gamma}")
    check_logits(student_AC, teacher_AC, weight_A)
    peak_A = None
    with autocast_off(student_AC):
        student_AC, teacher_AC = widen(student_AC, teacher_AC.detach())
        if gamma == 1.0:
            loss_A, peak_A = disagreement_entropy(student_AC, teacher_AC, weight_A, detach_weight)
        else:
            loss_A = _powered(blank(student_AC, weight_A), blank(teacher_AC, weight_A), gamma, detach_weight)
        return weighted_sum(loss_A, weight_A, normaliser), peak_A


def _powered(student_AC: Tensor, teacher_AC: Tensor, gamma: float, detach_weight: bool) -> Tensor:
    """Return each anchor's classification loss, (A,), for any power of the disagreement."""
    target_AC = teacher_AC.sigmoid()
    disagreement_AC = (target_AC - student_AC.sigmoid()).abs().pow(gamma)
    if detach_weight:
        disagreement_AC = disagreement_AC.detach()
    entropy_AC = F.binary_cross_entropy_with_logits(student_AC, target_AC, reduction="none")
    return (disagreement_AC * entropy_AC).sum(dim=1)


def localization_distillation(
    student_boxes_A4: Tensor,
    teacher_boxes_A4: Tensor,
    student_AC: Tensor,
    teacher_AC: Tensor,
    weight_A: Tensor,
    normaliser: Tensor | float | None,
    *,
    iou: Literal["giou", "iou"] = "giou",
    eps: float = 1e-6,
    peak_A: Tensor | None = None,
) -> Tensor:
    """Pull each box of the student onto the teacher's, by as much as the two disagree about the classes there.

    With ``p = sigmoid(logit)`` and ``sg`` the stopped gradient::

        omega_i = sg(max_j |p_t - p_s|_ij) * weight_i
        loss = sum_i omega_i * (1 - IoU_i) / (normaliser + eps32)

    Args:
        student_boxes_A4: decoded boxes with x1 <= x2 and y1 <= y2, in units of the level's stride. The overlap does not
            depend on the unit; only ``eps`` does. On anchors that count, areas must be finite in the computing dtype.
        teacher_boxes_A4: the teacher's boxes for the same anchors, same unit.
        student_AC: the student's class logits, read for ``omega`` only.
        teacher_AC: the teacher's class logits.
        weight_A: as in ``classification_distillation``: a weight of exactly 0 removes the anchor, even if its boxes are
            infinite, NaN or empty.
        normaliser: as in ``classification_distillation``; ``eps32`` is the float32 machine epsilon, absent for None.
        iou: ``giou`` (the authors' code) or ``iou`` (the paper).
        eps: smallest union and smallest enclosing area, in squared strides.
        peak_A: ``max_j |p_t - p_s|_ij``, where ``classification_and_peak`` has found it for the same logits and weights.

    Returns:
        A scalar, summed over anchors; 0 and connected to the graph if there are no anchors.

    Gradient: to ``student_boxes_A4`` only. ``omega`` is always detached: no gradient to either logits.

    Workers: as in ``classification_distillation``; ``normaliser`` is the mean over workers of the positives.

    Source: BCKD, equation of the localization term, and lines 10 to 16 of Algorithm A1 in its supplement, which print IoU
    and a plain sum over all anchors; the authors' code takes GIoU, divides by the positives and gates levels.

    Raises:
        ValueError: shapes disagree, ``iou`` is unknown, or ``normaliser`` is not one positive number.
    """
    if iou not in _OVERLAPS:
        raise ValueError(f"iou must be one of {sorted(_OVERLAPS)}, got {iou!r}")
    check_logits(student_AC, teacher_AC, weight_A)
    check_boxes("student", student_boxes_A4, "teacher", teacher_boxes_A4)
    check_anchor_count(student_boxes_A4, weight_A)
    with autocast_off(student_boxes_A4):
        if peak_A is None:
            peak_A = peak_disagreement(*widen(student_AC.detach(), teacher_AC.detach()))
        omega_A = blank(peak_A * weight_A.detach(), weight_A)
        # Blanked before the arithmetic: afterwards, 0 * NaN and 0 * inf would still poison the gradient.
        student_boxes_A4 = blank(student_boxes_A4, weight_A)
        teacher_boxes_A4 = blank(teacher_boxes_A4.detach(), weight_A)
        overlap_A = _OVERLAPS[iou](student_boxes_A4, teacher_boxes_A4, eps)
        return weighted_sum(1.0 - overlap_A, omega_A, normaliser)
