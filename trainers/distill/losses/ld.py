"""Compute the losses of LD (CVPR 2022): Main LD and VLR LD on box distributions, Main KD on classes.

Further axes: 4 sides of a box, K bins of each side's distribution. ``vlr.py`` finds the anchors of VLR LD.
"""

from torch import Tensor

from trainers.distill.losses.checks import check_anchor_count, check_distributions, check_logits
from trainers.distill.losses.divergence import softened_divergence
from trainers.distill.losses.levels import positives_of_level
from trainers.distill.losses.precision import autocast_off, widen
from trainers.distill.losses.weighting import blank, peak_probability, weighted_sum


def box_distribution_distillation(
    student_A4K: Tensor,
    teacher_A4K: Tensor,
    weight_A: Tensor,
    *,
    temperature: float = 10.0,
    divisor: float = 4.0,
) -> Tensor:
    """Pull each side's distribution over bins to the teacher's, both softened by the temperature.

    ::

        loss = sum_i weight_i * sum_sides mean_bins(T^2 * KL(softmax(t / T) || softmax(s / T))) / divisor

    The mean over bins is 1/K of the true divergence.

    Args:
        student_A4K: the student's logits over bins, any floating dtype.
        teacher_A4K: the teacher's logits for the same anchors, same shape.
        weight_A: ``main_ld_weight`` for Main LD, ``vlr_weight`` for VLR LD. A weight of exactly 0 removes the anchor:
            neither loss nor gradient sees its logits, even if they are not finite.
        temperature: T, above 0.
        divisor: 4 for Main LD, 16 for VLR LD; the method's own weight (0.25 for both) is the caller's.

    Returns:
        A scalar, summed over sides and anchors; 0 and connected to the graph if there are no anchors.

    Gradient: to ``student_A4K`` only.

    Workers: a plain sum over this worker's anchors, as in the authors' code. It grows with the images on a worker, and
    averaging the gradients of N workers gives 1/N of one worker's gradient for the same global batch; a caller that
    needs them equal multiplies by the number of workers. Nothing is reduced over workers.

    Source: LD, equations of Main LD and VLR LD; reduction over bins, divisors and T^2 are the authors' code. mmdet's
    ``LDHead`` computes the same Main LD.

    Raises:
        ValueError: shapes disagree, or ``temperature`` or ``divisor`` is not positive.
    """
    if not divisor > 0.0:
        raise ValueError(f"divisor must be positive, got {divisor}")
    check_distributions(student_A4K, teacher_A4K, weight_A)
    with autocast_off(student_A4K):
        student_A4K, teacher_A4K = widen(student_A4K, teacher_A4K.detach())
        student_A4K, teacher_A4K = blank(student_A4K, weight_A), blank(teacher_A4K, weight_A)
        divergence_A4 = softened_divergence(student_A4K, teacher_A4K, temperature) / student_A4K.shape[2]
        return weighted_sum(divergence_A4.sum(dim=1), weight_A, None) / divisor


def main_ld_weight(student_AC: Tensor, positive_A: Tensor) -> Tensor:
    """Weigh each positive by the student's largest class probability; 0 elsewhere, for any logits there.

    ``positive_A`` is bool, True where an anchor is assigned to an object. Returns (A,), float32 or wider, no gradient.

    Workers: local, nothing to reduce.

    Raises:
        ValueError: shapes disagree.
    """
    check_anchor_count(student_AC, positive_A)
    return peak_probability(student_AC, positive_A)


def class_distribution_distillation(
    student_AC: Tensor,
    teacher_AC: Tensor,
    positive_A: Tensor,
    level_A: Tensor,
    num_levels: int,
    *,
    temperature: float = 2.0,
) -> Tensor:
    """Pull the positives' softmax over classes to the teacher's, each level averaged over its own positives.

    ::

        loss = sum_levels sum_{i positive in level} mean_classes(T^2 * KL(softmax(t / T) || softmax(s / T)))_i / N_level

    The mean over classes is 1/C of the true divergence. With one class the softmax is always 1, and the loss is 0.

    Args:
        student_AC: the student's class logits, any floating dtype.
        teacher_AC: the teacher's logits for the same anchors, same shape.
        positive_A: bool, True where an anchor is assigned to an object; all others are removed, finite or not.
        level_A: int64, the level of each anchor, from 0 to ``num_levels - 1``.
        num_levels: L, the number of levels.
        temperature: T, above 0.

    Returns:
        A scalar; a level without positives adds 0. 0 and connected to the graph if there are no positives at all.

    Gradient: to ``student_AC`` only.

    Workers: ``N_level`` counts this worker's positives, as in the authors' code. Averaged gradients of N workers are
    the mean of their per-level means, which equals one worker's loss only if each level has equally many positives on
    each worker. Nothing is reduced over workers.

    Source: LD's Main KD as in the authors' code, which multiplies by the label weight too (1 on positives) and by the
    method's weight 10, the caller's here.

    Raises:
        ValueError: shapes disagree or ``temperature`` is not positive.
        TypeError, IndexError: as ``level_gate``.
    """
    check_logits(student_AC, teacher_AC, positive_A)
    share_A = positive_A / positives_of_level(positive_A, level_A, num_levels).clamp(min=1)
    with autocast_off(student_AC):
        student_AC, teacher_AC = widen(student_AC, teacher_AC.detach())
        student_AC, teacher_AC = blank(student_AC, positive_A), blank(teacher_AC, positive_A)
        divergence_A = softened_divergence(student_AC, teacher_AC, temperature) / student_AC.shape[1]
        return weighted_sum(divergence_A, share_A, None)
