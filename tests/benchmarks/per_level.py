"""Compute BCKD's terms the plain way, level by level, as a reader of the formula would write them."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

EPS = torch.finfo(torch.float32).eps
Levels = list[Tensor]


def terms(
    student: tuple[Levels, Levels],
    teacher: tuple[Levels, Levels],
    labels: Levels,
    label_weights: Levels,
    head: Any,
    normaliser: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the classification and the localization term of a GFL head, scalars, without their weights.

    ``student`` and ``teacher`` are (class scores, box distributions), lists over levels of (B, channels, H, W);
    ``labels`` and ``label_weights`` are lists over levels of (B, anchors). A level without a positive counts nothing.
    """
    classification, localization = [], []
    sizes = [level.shape[-2:] for level in student[0]]
    priors = head.prior_generator.grid_priors(sizes, device=student[0][0].device)
    for level, (stride, _) in enumerate(head.prior_generator.strides):
        label, weight = labels[level].reshape(-1), label_weights[level].reshape(-1)
        gate = ((label >= 0) & (label < head.num_classes)).any().float()
        centre = head.anchor_center(priors[level]).repeat(len(labels[level]), 1) / stride
        s, t = rows(student[0][level], head.cls_out_channels), rows(teacher[0][level], head.cls_out_channels)
        target = t.sigmoid()
        disagreement = (target - s.sigmoid()).abs()
        entropy = F.binary_cross_entropy_with_logits(s, target, reduction="none")
        classification.append(gate * ((disagreement * entropy).sum(1) * weight).sum() / (normaliser + EPS))
        mine, theirs = (decode(outs[1][level], centre, head) for outs in (student, teacher))
        omega = disagreement.detach().amax(1) * weight
        localization.append(gate * (omega * (1 - giou(mine, theirs))).sum() / (normaliser + EPS))
    return torch.stack(classification).sum(), torch.stack(localization).sum()


def rows(level: Tensor, channels: int) -> Tensor:
    """Return (B * anchors, channels) of (B, channels, H, W)."""
    return level.permute(0, 2, 3, 1).reshape(-1, channels)


def decode(level: Tensor, centre: Tensor, head: Any) -> Tensor:
    """Return the boxes, (n, 4) in strides, that distributions over bins describe."""
    bins = rows(level, head.reg_max + 1).softmax(1)
    distance = F.linear(bins, head.integral.project.type_as(bins)[None]).reshape(-1, 4)
    return torch.cat([centre - distance[:, :2], centre + distance[:, 2:]], 1)


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalised IoU of boxes at equal index, (n,)."""
    sides = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(min=0)
    overlap = sides[:, 0] * sides[:, 1]
    union = (area(first) + area(second) - overlap).clamp(min=1e-6)
    around = torch.cat([torch.minimum(first[:, :2], second[:, :2]), torch.maximum(first[:, 2:], second[:, 2:])], 1)
    enclosing = area(around).clamp(min=1e-6)
    return overlap / union - (enclosing - union) / enclosing


def area(boxes: Tensor) -> Tensor:
    """Return the areas of boxes, (n,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
