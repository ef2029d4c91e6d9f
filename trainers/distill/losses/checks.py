"""Refuse tensors whose shapes disagree, before broadcasting makes something of them."""

from torch import Tensor


def check_logits(student_AC: Tensor, teacher_AC: Tensor, weight_A: Tensor) -> None:
    """Refuse logits as ``check_logit_pair``, and a weight that is not (A,)."""
    check_logit_pair(student_AC, teacher_AC)
    check_anchor_count(student_AC, weight_A)


def check_logit_pair(student_AC: Tensor, teacher_AC: Tensor) -> None:
    """Refuse logits that are not both (A, C) with C >= 1."""
    if student_AC.ndim != 2 or student_AC.shape[1] == 0 or student_AC.shape != teacher_AC.shape:
        raise ValueError(
            "student and teacher logits must both be (A, C) with C >= 1, "
            f"got {shape_of(student_AC)} and {shape_of(teacher_AC)}"
        )


def check_boxes(name1: str, boxes1_A4: Tensor, name2: str, boxes2_A4: Tensor) -> None:
    """Refuse boxes that are not both (A, 4); the names go into the message."""
    if boxes1_A4.ndim != 2 or boxes1_A4.shape[1] != 4 or boxes1_A4.shape != boxes2_A4.shape:
        raise ValueError(
            f"{name1} and {name2} boxes must both be (A, 4), got {shape_of(boxes1_A4)} and {shape_of(boxes2_A4)}"
        )


def check_distributions(student_A4K: Tensor, teacher_A4K: Tensor, weight_A: Tensor) -> None:
    """Refuse logits over bins that are not both (A, 4, K) with K >= 1, and a weight that is not (A,)."""
    shape = shape_of(student_A4K)
    if len(shape) != 3 or shape[1] != 4 or shape[2] == 0 or student_A4K.shape != teacher_A4K.shape:
        raise ValueError(
            "student and teacher distributions must both be (A, 4, K) with K >= 1, "
            f"got {shape} and {shape_of(teacher_A4K)}"
        )
    check_anchor_count(student_A4K, weight_A)


def check_anchor_count(values_AX: Tensor, weight_A: Tensor) -> None:
    """Refuse a weight such as (A, 1), which would broadcast to (A, A) without a word."""
    if weight_A.shape != values_AX.shape[:1]:
        raise ValueError(
            f"weight must be (A,) for values of shape {shape_of(values_AX)}, got weight of shape {shape_of(weight_A)}"
        )


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """Make the shape a plain tuple, which reads well in messages."""
    return tuple(tensor.shape)
