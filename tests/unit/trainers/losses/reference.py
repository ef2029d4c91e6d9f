"""Recompute the losses by hand: float64 scalars, one anchor, side, bin, class and pixel at a time, from the formulas.

Shares nothing with ``trainers.distill.losses``. The student's tensors are float64 leaves whose elements are taken one by
one, so that torch's autograd gives the reference's gradient; what the teacher says is plain numbers.
"""

import math
import statistics
from collections.abc import Sequence

import torch
from torch import Tensor

Numbers = Sequence[float]
EPS32 = 2.0**-23


def zero() -> Tensor:
    return torch.zeros((), dtype=torch.float64)


def softmax(logits: Numbers, temperature: float) -> list[float]:
    peak = max(logits)
    powers = [math.exp((logit - peak) / temperature) for logit in logits]
    return [power / math.fsum(powers) for power in powers]


def divergence(student: Tensor, teacher: Numbers, temperature: float) -> Tensor:
    """Sum ``p_t (log p_t - log p_s)`` over bins, with 0 log 0 = 0."""
    peak = max(student.tolist())
    normaliser = sum(((logit - peak) / temperature).exp() for logit in student.unbind())
    log_normaliser = normaliser.log() if isinstance(normaliser, Tensor) else zero()
    total = zero()
    for logit, p in zip(student.unbind(), softmax(teacher, temperature), strict=True):
        if p > 0.0:
            total = total + p * (math.log(p) - ((logit - peak) / temperature - log_normaliser))
    return total


def ld(student_A4K: Tensor, teacher_A4K: Tensor, weights: Numbers, temperature: float, divisor: float) -> Tensor:
    total, bins = zero(), student_A4K.shape[2]
    for sides, theirs, weight in zip(student_A4K, teacher_A4K.tolist(), weights, strict=True):
        if weight == 0.0:
            continue
        for side in range(4):
            total = total + weight * temperature**2 * divergence(sides[side], theirs[side], temperature) / bins
    return total / divisor


def main_kd(
    student_AC: Tensor, teacher_AC: Tensor, positives: Sequence[bool], levels: Sequence[int], temperature: float
) -> Tensor:
    total, classes = zero(), student_AC.shape[1]
    for level in set(levels):
        members = [i for i, positive in enumerate(positives) if positive and levels[i] == level]
        for i in members:
            theirs = teacher_AC[i].tolist()
            total = total + temperature**2 * divergence(student_AC[i], theirs, temperature) / classes / len(members)
    return total


def cross_distribution(student_A4K: Tensor, teacher_A4K: Tensor, weights: Numbers) -> Tensor:
    total = zero()
    for sides, theirs, weight in zip(student_A4K, teacher_A4K.tolist(), weights, strict=True):
        if weight == 0.0:
            continue
        total = total + weight * sum((divergence(sides[i], theirs[i], 1.0) for i in range(4)), zero()) / 4
    return total / (math.fsum(weights) + EPS32)


def overlap(mine: Tensor, theirs: Numbers) -> tuple[Tensor, Tensor]:
    """Return IoU and GIoU of two boxes with area."""
    x1, y1, x2, y2 = mine.unbind()
    u1, v1, u2, v2 = (zero() + corner for corner in theirs)
    width, height = min(x2, u2) - max(x1, u1), min(y2, v2) - max(y1, v1)
    inside = width * height if width > 0 and height > 0 else zero()
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - inside
    hull = (max(x2, u2) - min(x1, u1)) * (max(y2, v2) - min(y1, v1))
    return inside / union, inside / union - (hull - union) / hull


def cross_boxes(student_A4: Tensor, teacher_A4: Tensor, weights: Numbers, normaliser: float, kind: str) -> Tensor:
    total = zero()
    for mine, theirs, weight in zip(student_A4, teacher_A4.tolist(), weights, strict=True):
        if weight == 0.0:
            continue
        iou, giou = overlap(mine, theirs)
        logarithm = -iou.log() if iou > 1e-6 else zero() - math.log(1e-6)
        total = total + weight * {"giou": 1 - giou, "iou": 1 - iou, "log_iou": logarithm}[kind]
    return total / (normaliser + EPS32)


def standardise(values: Sequence[Tensor]) -> list[Tensor]:
    """Shift and scale one channel's values, all images and pixels, with the unbiased deviation."""
    mean = sum(values, zero()) / len(values)
    deviation = zero()
    if len(values) > 1:
        deviation = (sum(((value - mean) ** 2 for value in values), zero()) / (len(values) - 1)) ** 0.5
    return [(value - mean) / (deviation + 1e-6) for value in values]


def channel(map_BCHW: Tensor, index: int) -> list[Tensor]:
    """List one channel's values: image by image, row by row."""
    return list(map_BCHW[:, index].flatten().unbind())


def resize(map_BCHW: Tensor, height: int, width: int) -> Tensor:
    """Interpolate bilinearly between pixel centres, which lie at half-integers; edges are continued."""
    rows, columns = map_BCHW.shape[2:]

    def source(index: int, new: int, old: int) -> tuple[int, int, float]:
        place = max((index + 0.5) * old / new - 0.5, 0.0)
        low = min(int(place), old - 1)
        return low, min(low + 1, old - 1), place - low

    found = []
    for row in range(height):
        top, bottom, down = source(row, height, rows)
        for column in range(width):
            left, right, along = source(column, width, columns)
            upper = map_BCHW[:, :, top, left] * (1 - along) + map_BCHW[:, :, top, right] * along
            lower = map_BCHW[:, :, bottom, left] * (1 - along) + map_BCHW[:, :, bottom, right] * along
            found.append(upper * (1 - down) + lower * down)
    return torch.stack(found, dim=-1).unflatten(-1, (height, width))


def pkd(student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor]) -> Tensor:
    total = zero()
    for student, teacher in zip(student_levels, teacher_levels, strict=True):
        if student.shape != teacher.shape:
            student = resize(student, *teacher.shape[2:])
        squares = [
            (mine - theirs) ** 2
            for c in range(student.shape[1])
            for mine, theirs in zip(
                standardise(channel(student, c)), standardise(channel(teacher.detach(), c)), strict=True
            )
        ]
        total = total + sum(squares, zero()) / len(squares) / 2
    return total


def aligned(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
    images, channels, rows, columns = student_BCHW.shape
    found = []
    for c in range(channels):
        theirs = [value.item() for value in channel(teacher_BCHW, c)]
        deviation, mean = statistics.stdev(theirs) if len(theirs) > 1 else 0.0, statistics.fmean(theirs)
        found.append(torch.stack([v * deviation + mean for v in standardise(channel(student_BCHW, c))]))
    return torch.stack(found, dim=1).view(images, rows, columns, channels).permute(0, 3, 1, 2)


def sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0.0 else math.exp(logit) / (1.0 + math.exp(logit))


def gid(
    student_AC: Tensor,
    teacher_AC: Tensor,
    student_A4: Tensor,
    teacher_A4: Tensor,
    matched: Sequence[bool],
    weights: tuple[float, float],
) -> Tensor:
    total = zero()
    for i in (i for i, chosen in enumerate(matched) if chosen):
        for logit, target in zip(student_AC[i].unbind(), map(sigmoid, teacher_AC[i].tolist()), strict=True):
            log_p = -torch.log1p((-logit).exp()) if logit > 0 else logit - torch.log1p(logit.exp())
            total = total + weights[0] * (-target * log_p - (1.0 - target) * (log_p - logit))
        for mine, theirs in zip(student_A4[i].unbind(), teacher_A4[i].tolist(), strict=True):
            total = total + weights[1] * abs(mine - theirs)
    return total / max(sum(matched), 1)


Box = Sequence[float]


def area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0.0) * max(height, 0.0)
    return inside / max(area(a) + area(b) - inside, 1e-6)


def centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def closeness(a: Box, b: Box, kind: str) -> float:
    """Subtract from IoU, or from the covered part of ``a``, the centres' distance in parts of the common diagonal."""
    covered = iou(a, b) * (area(a) + area(b)) / (1.0 + iou(a, b)) / area(a)
    hull = math.hypot(max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1]))
    return {"iou": iou(a, b), "iof": covered}[kind] - math.dist(centre(a), centre(b)) ** 2 / hull**2


def vlr(
    anchors: Sequence[Box],
    objects: Sequence[Box],
    level_sizes: Sequence[int],
    valid: Sequence[bool],
    topk: int,
    ratio: float,
    kind: str,
) -> list[float]:
    weights = [0.0] * len(anchors)
    for thing in objects:
        candidates: list[float] = []
        start = 0
        for size in level_sizes:
            level = [anchors[i] for i in range(start, start + size) if valid[i]]
            start += size
            level.sort(key=lambda anchor: math.dist(centre(anchor), centre(thing)))
            candidates += [iou(anchor, thing) for anchor in level[:topk]]
        if not candidates:
            continue
        spread = statistics.stdev(candidates) if len(candidates) > 1 else 0.0
        threshold = statistics.fmean(candidates) + spread
        for i, anchor in enumerate(anchors):
            if valid[i] and ratio * threshold <= closeness(anchor, thing, kind) < threshold:
                weights[i] = max(weights[i], iou(anchor, thing))
    return weights


def general_instances(
    scores: tuple[Sequence[Numbers], Sequence[Numbers]],
    boxes: tuple[Sequence[Box], Sequence[Box]],
    size: tuple[int, int] | None,
    options: dict[str, float],
    gap: str,
) -> list[list[float]]:
    """Select one image's boxes from (student, teacher) logits and boxes."""
    found = []
    for mine, theirs, my_box, their_box in zip(*scores, *boxes, strict=True):
        p_s, p_t = [sigmoid(logit) for logit in mine], [sigmoid(logit) for logit in theirs]
        if gap == "score":
            lead = max(p_t) - max(p_s)
        else:
            lead = max((t - s for s, t in zip(p_s, p_t, strict=True)), key=abs)
        found.append((abs(lead), list(their_box if lead > 0 else my_box)))
    found.sort(key=lambda pair: -pair[0])
    kept: list[list[float]] = []
    for _, box in found[: int(options["pre"])]:
        if size is not None:
            limits = (size[1], size[0], size[1], size[0])
            box = [min(max(corner, 0.0), limit) for corner, limit in zip(box, limits, strict=True)]
        if min(box[2] - box[0], box[3] - box[1]) <= options["min_side"]:
            continue
        if all(iou(box, other) <= options["iou"] for other in kept):
            kept.append(box)
    return kept[: int(options["top_k"])]
