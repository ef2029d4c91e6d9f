"""Recompute BCKD by hand: float64, one level, anchor and class at a time, from the printed formulas, without torch.

Shares nothing with ``trainers.distill.losses``, not even the way to a gradient: slopes are five-point differences.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Box = Sequence[float]
Overlap = Literal["giou", "iou"]
FLOAT32_EPS = 2.0**-23
STEP = 1e-4


@dataclass(frozen=True)
class Switches:
    """Hold one combination of BCKD's switches."""

    gamma: float = 1.0
    detach_weight: bool = False
    iou: Overlap = "giou"
    level_gate: Literal["has_positives", "none"] = "has_positives"
    normaliser: Literal["positives", "sum"] = "positives"


@dataclass(frozen=True)
class Anchor:
    """Hold all that BCKD reads of one anchor."""

    level: int
    positive: bool
    weight: float
    student_logits: Sequence[float]
    teacher_logits: Sequence[float]
    student_box: Box
    teacher_box: Box


@dataclass(frozen=True)
class Answer:
    """Hold both losses, with the slope of each by every logit and every box corner."""

    classification: float
    localization: float
    logit_slopes: list[list[float]]
    box_slopes: list[list[float]]


def solve(anchors: Sequence[Anchor], num_levels: int, positives: float, switches: Switches) -> Answer:
    """Add up the formulas level by level; ``positives`` is the number that the code's normaliser holds."""
    divisor = 1.0 if switches.normaliser == "sum" else positives + FLOAT32_EPS
    classification, localization = 0.0, 0.0
    logit_slopes = [[0.0] * len(anchor.student_logits) for anchor in anchors]
    box_slopes = [[0.0] * 4 for _ in anchors]
    for level in range(num_levels):
        members = [(i, anchor) for i, anchor in enumerate(anchors) if anchor.level == level]
        if switches.level_gate == "has_positives" and not any(anchor.positive for _, anchor in members):
            continue
        for i, anchor in members:
            if anchor.weight == 0.0:
                continue
            scale = anchor.weight / divisor
            classification += scale * _anchor_classification(anchor, switches.gamma)
            localization += scale * _anchor_localization(anchor, anchor.student_box, switches.iou)
            logit_slopes[i] = [scale * slope for slope in _logit_slopes(anchor, switches)]
            box_slopes[i] = [scale * slope for slope in _box_slopes(anchor, switches.iou)]
    return Answer(classification, localization, logit_slopes, box_slopes)


def sigmoid(logit: float) -> float:
    """Turn a logit into a probability without overflow."""
    return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0.0 else math.exp(logit) / (1.0 + math.exp(logit))


def cross_entropy(logit: float, target: float) -> float:
    """Compare a logit with a target probability: ``-t log p - (1 - t) log(1 - p)``."""
    log_p = min(logit, 0.0) - math.log1p(math.exp(-abs(logit)))
    return -target * log_p - (1.0 - target) * (log_p - logit)


def overlap(first: Box, second: Box, kind: Overlap, eps: float = 1e-6) -> float:
    """Compute IoU or GIoU of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    intersection = width * height if width > 0.0 and height > 0.0 else 0.0
    union = max(_area(first) + _area(second) - intersection, eps)
    if kind == "iou":
        return intersection / union
    hull = [min(first[0], second[0]), min(first[1], second[1]), max(first[2], second[2]), max(first[3], second[3])]
    enclosing = max(_area(hull), eps)
    return intersection / union - (enclosing - union) / enclosing


def _anchor_classification(anchor: Anchor, gamma: float) -> float:
    pairs = zip(anchor.student_logits, anchor.teacher_logits, strict=True)
    return sum(_class_loss(s, sigmoid(t), gamma, None) for s, t in pairs)


def _class_loss(logit: float, target: float, gamma: float, frozen: float | None) -> float:
    weight = abs(target - sigmoid(logit)) ** gamma if frozen is None else frozen
    return weight * cross_entropy(logit, target)


def _anchor_localization(anchor: Anchor, student_box: Box, kind: Overlap) -> float:
    pairs = zip(anchor.student_logits, anchor.teacher_logits, strict=True)
    omega = max(abs(sigmoid(t) - sigmoid(s)) for s, t in pairs)
    return omega * (1.0 - overlap(student_box, anchor.teacher_box, kind))


def _logit_slopes(anchor: Anchor, switches: Switches) -> list[float]:
    slopes = []
    for s, t in zip(anchor.student_logits, anchor.teacher_logits, strict=True):
        target = sigmoid(t)
        frozen = abs(target - sigmoid(s)) ** switches.gamma if switches.detach_weight else None
        slopes.append(_slope(lambda x, p=target, w=frozen: _class_loss(x, p, switches.gamma, w), s))  # type: ignore[misc]
    return slopes


def _box_slopes(anchor: Anchor, kind: Overlap) -> list[float]:
    def at(corner: int, value: float) -> float:
        box = list(anchor.student_box)
        box[corner] = value
        return _anchor_localization(anchor, box, kind)

    return [_slope(lambda x, k=k: at(k, x), anchor.student_box[k]) for k in range(4)]  # type: ignore[misc]


def _slope(function: Callable[[float], float], x: float) -> float:
    near = function(x + STEP) - function(x - STEP)
    far = function(x + 2.0 * STEP) - function(x - 2.0 * STEP)
    return (8.0 * near - far) / (12.0 * STEP)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
