"""Compute overlaps of boxes, differentiable and without waiting for the device."""

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
        left1, top1, right1, bottom1 = boxes1_A4.unbind(dim=-1)
        left2, top2, right2, bottom2 = boxes2_A4.unbind(dim=-1)
        width_A = torch.maximum(right1, right2) - torch.minimum(left1, left2)
        height_A = torch.maximum(bottom1, bottom2) - torch.minimum(top1, top2)
        enclosing_A = (width_A * height_A).clamp(min=eps)
        return intersection_A / union_A - (enclosing_A - union_A) / enclosing_A


def pairwise_overlaps(boxes1_M4: Tensor, boxes2_G4: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor, Tensor]:
    """Compare every pair of boxes: IoU, intersection over the first box's area, and distance penalty, each (M, G).

    The penalty is the squared distance of the centres over the squared diagonal of the enclosing box, in [0, 1], so that
    IoU minus penalty is the distance-IoU. Areas and diagonals are raised to at least ``eps``; else as ``paired_iou``.
    """
    with autocast_off(boxes1_M4):
        boxes1, boxes2 = widen(boxes1_M4[:, None], boxes2_G4[None])
        intersection_MG, union_MG = _intersection_and_union(boxes1, boxes2, eps)
        area1_M1 = _product(boxes1[..., 2:] - boxes1[..., :2]).clamp(min=eps)
        sides_MG2 = torch.maximum(boxes1[..., 2:], boxes2[..., 2:]) - torch.minimum(boxes1[..., :2], boxes2[..., :2])
        doubled_MG2 = boxes1[..., :2] + boxes1[..., 2:] - boxes2[..., :2] - boxes2[..., 2:]
        diagonal_MG = sides_MG2.square().sum(dim=-1).clamp(min=eps)
        penalty_MG = doubled_MG2.square().sum(dim=-1) / (4.0 * diagonal_MG)
        return intersection_MG / union_MG, intersection_MG / area1_M1, penalty_MG


def _intersection_and_union(boxes1_X4: Tensor, boxes2_X4: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    left1, top1, right1, bottom1 = boxes1_X4.unbind(dim=-1)  # columns: each operation reads memory in a row
    left2, top2, right2, bottom2 = boxes2_X4.unbind(dim=-1)
    width_X = (torch.minimum(right1, right2) - torch.maximum(left1, left2)).clamp(min=0.0)
    height_X = (torch.minimum(bottom1, bottom2) - torch.maximum(top1, top2)).clamp(min=0.0)
    intersection_X = width_X * height_X
    area1_X, area2_X = (right1 - left1) * (bottom1 - top1), (right2 - left2) * (bottom2 - top2)
    return intersection_X, (area1_X + area2_X - intersection_X).clamp(min=eps)


def _product(sides_X2: Tensor) -> Tensor:
    """Multiply width and height; the backward of ``Tensor.prod`` would count zeros on the host."""
    width_X, height_X = sides_X2.unbind(dim=-1)
    return width_X * height_X
