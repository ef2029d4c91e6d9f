"""Compute overlaps of boxes paired by index, differentiable and without waiting for the device."""

import torch
from torch import Tensor

from trainers.distill.losses.checks import check_boxes
from trainers.distill.losses.precision import autocast_off, widen


def paired_iou(boxes1_A4: Tensor, boxes2_A4: Tensor, eps: float = 1e-6) -> Tensor:
    """Compute the intersection over union of the boxes at equal index, shape (A,), in [0, 1].

    Boxes are x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, any unit; the union is raised to at least ``eps`` (unit squared),
    so two boxes without area have IoU 0. Computed in float32 or wider, nothing reduced; gradient to both inputs.

    Raises:
        ValueError: the inputs are not both (A, 4).
    """
    check_boxes("first", boxes1_A4, "second", boxes2_A4)
    with autocast_off(boxes1_A4):
        boxes1_A4, boxes2_A4 = widen(boxes1_A4, boxes2_A4)
        intersection_A, union_A = _intersection_and_union(boxes1_A4, boxes2_A4, eps)
        return intersection_A / union_A


def paired_giou(boxes1_A4: Tensor, boxes2_A4: Tensor, eps: float = 1e-6) -> Tensor:
    """Compute the generalised IoU of the boxes at equal index, shape (A,), in [-1, 1].

    ``GIoU = IoU - (enclosing - union) / enclosing``. Union and enclosing area are each raised to at least ``eps``, mmdet's
    rule; else as ``paired_iou``. Where the boxes are equal, the gradients of IoU and of the penalty are both 0.

    Raises:
        ValueError: the inputs are not both (A, 4).
    """
    check_boxes("first", boxes1_A4, "second", boxes2_A4)
    with autocast_off(boxes1_A4):
        boxes1_A4, boxes2_A4 = widen(boxes1_A4, boxes2_A4)
        intersection_A, union_A = _intersection_and_union(boxes1_A4, boxes2_A4, eps)
        low_A2 = torch.minimum(boxes1_A4[:, :2], boxes2_A4[:, :2])
        high_A2 = torch.maximum(boxes1_A4[:, 2:], boxes2_A4[:, 2:])
        enclosing_A = _product(high_A2 - low_A2).clamp(min=eps)
        return intersection_A / union_A - (enclosing_A - union_A) / enclosing_A


def _intersection_and_union(boxes1_A4: Tensor, boxes2_A4: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    low_A2 = torch.maximum(boxes1_A4[:, :2], boxes2_A4[:, :2])
    high_A2 = torch.minimum(boxes1_A4[:, 2:], boxes2_A4[:, 2:])
    intersection_A = _product((high_A2 - low_A2).clamp(min=0.0))
    area1_A = _product(boxes1_A4[:, 2:] - boxes1_A4[:, :2])
    area2_A = _product(boxes2_A4[:, 2:] - boxes2_A4[:, :2])
    return intersection_A, (area1_A + area2_A - intersection_A).clamp(min=eps)


def _product(sides_A2: Tensor) -> Tensor:
    """Multiply width and height; the backward of ``Tensor.prod`` would count zeros on the host."""
    width_A, height_A = sides_A2.unbind(dim=1)
    return width_A * height_A
