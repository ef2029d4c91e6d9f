"""Recompute the losses on pyramid features by hand: float64 scalars, one image, channel and place at a time, from the papers.

Shares nothing with ``trainers.distill.losses``. The student's maps are float64 leaves; what the teacher says is plain numbers.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tests.unit.trainers.losses.reference import divergence, resize, zero

Box = tuple[float, float, float, float]
Grid = list[list[float]]


def at_size_of(student: Tensor, teacher: Tensor) -> Tensor:
    return student if student.shape == teacher.shape else resize(student, *teacher.shape[2:])


def cwd(student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor], temperature: float) -> Tensor:
    total = zero()
    for student, teacher in zip(student_levels, teacher_levels, strict=True):
        mine = at_size_of(student, teacher)
        images, channels = teacher.shape[:2]
        for b in range(images):
            for c in range(channels):
                places, theirs = mine[b, c].flatten(), teacher[b, c].flatten().tolist()
                total = total + temperature**2 * divergence(places, theirs, temperature) / (images * channels)
    return total


def mgd(
    student_levels: Sequence[Tensor],
    teacher_levels: Sequence[Tensor],
    kept_levels: Sequence[Tensor],
    generate: Callable[[Tensor], Tensor],
) -> Tensor:
    total = zero()
    for student, teacher, kept in zip(student_levels, teacher_levels, kept_levels, strict=True):
        mine = at_size_of(student, teacher)
        left = [
            [mine[b, :, i, j] if kept[b, 0, i, j] else mine[b, :, i, j] * 0.0 for i in range(mine.shape[2]) for j in range(mine.shape[3])]
            for b in range(len(mine))
        ]  # fmt: skip
        made = generate(torch.stack([torch.stack(row, -1) for row in left]).reshape(mine.shape))
        for value, wanted in zip(made.flatten().unbind(), teacher.flatten().tolist(), strict=True):
            total = total + (wanted - value) ** 2 / len(mine)
    return total


def convolve(map_CHW: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve one image by a 3x3 kernel, zeros around it: one output value at a time."""
    _, height, width = map_CHW.shape
    rows = []
    for out in range(len(weight)):
        for i in range(height):
            for j in range(width):
                value = bias[out]
                for di in (-1, 0, 1):
                    for dj in (-1, 0, 1):
                        if 0 <= i + di < height and 0 <= j + dj < width:
                            value = value + (weight[out, :, di + 1, dj + 1] * map_CHW[:, i + di, j + dj]).sum()
                rows.append(value)
    return torch.stack(rows).reshape(len(weight), height, width)


def foreground(boxes: Sequence[Box], height: int, width: int) -> tuple[Grid, Grid]:
    """Weigh the cells of an image with ``boxes`` in units of cells: those of objects, those of none."""
    found = [[0.0] * width for _ in range(height)]
    for x1, y1, x2, y2 in boxes:
        columns = range(math.floor(x1), math.ceil(x2) + 1)
        rows = range(math.floor(y1), math.ceil(y2) + 1)
        for i in rows:
            for j in columns:
                if 0 <= i < height and 0 <= j < width:
                    found[i][j] = max(found[i][j], 1.0 / (len(rows) * len(columns)))
    free = sum(value == 0.0 for row in found for value in row)
    return found, [[1.0 / free if value == 0.0 else 0.0 for value in row] for row in found]


def softmax_times_count(values: list[Tensor], temperature: float) -> list[Tensor]:
    powers = [(value / temperature).exp() for value in values]
    return [len(values) * power / sum(powers, zero()) for power in powers]


def attention(map_CHW: Tensor, temperature: float) -> tuple[list[Tensor], list[Tensor]]:
    """Return the attention of places, row by row, and of channels."""
    channels, height, width = map_CHW.shape
    strength = [[map_CHW[c, i, j].abs() for i in range(height) for j in range(width)] for c in range(channels)]
    places = [sum((row[p] for row in strength), zero()) / channels for p in range(height * width)]
    means = [sum(row, zero()) / len(row) for row in strength]
    return softmax_times_count(places, temperature), softmax_times_count(means, temperature)


def fgd_focal(
    student: Tensor,
    teacher: Tensor,
    objects: Sequence[Sequence[Box]],
    weights: tuple[float, float, float],
    temperature: float,
) -> Tensor:
    """Sum over images, in the paper's notation: alpha, beta and gamma are ``weights``; boxes are in units of cells."""
    alpha, beta, gamma = weights
    mine_all, total = at_size_of(student, teacher), zero()
    for mine, theirs, boxes in zip(mine_all, teacher, objects, strict=True):
        channels, height, width = theirs.shape
        fg, bg = foreground(boxes, height, width)
        (place_t, channel_t), (place_s, channel_s) = attention(theirs, temperature), attention(mine, temperature)
        for c in range(channels):
            for i in range(height):
                for j in range(width):
                    attended = place_t[i * width + j] * channel_t[c]
                    scale = alpha * fg[i][j] + beta * bg[i][j]
                    total = total + scale * attended * (theirs[c, i, j] - mine[c, i, j]) ** 2
        for t, s in zip(place_t + channel_t, place_s + channel_s, strict=True):
            total = total + gamma * (t - s).abs()
    return total / len(teacher)


def context(map_CHW: Tensor, block: dict[str, Tensor]) -> Tensor:
    """Compute a global context block on one image: the places' weighted sum, a bottleneck, added to every place."""
    channels, height, width = map_CHW.shape
    places = [map_CHW[:, i, j] for i in range(height) for j in range(width)]
    scores = [(block["where"] * place).sum() + block["where_bias"] for place in places]
    powers = [score.exp() for score in scores]
    pooled = sum((power * place for power, place in zip(powers, places, strict=True)), zero()) / sum(powers, zero())
    inner = torch.stack([(row * pooled).sum() for row in block["down"]]) + block["down_bias"]
    mean = inner.sum() / len(inner)
    variance = ((inner - mean) ** 2).sum() / len(inner)
    inner = ((inner - mean) / (variance + 1e-5) ** 0.5 * block["scale"] + block["shift"]).clamp(min=0.0)
    added = torch.stack([(row * inner).sum() for row in block["up"]]) + block["up_bias"]
    return torch.stack([map_CHW[c] + added[c] for c in range(channels)])


def feature(
    student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor], score_levels: Sequence[Tensor]
) -> Tensor:
    total = zero()
    for student, teacher, scores in zip(student_levels, teacher_levels, score_levels, strict=True):
        mine, weight, error = at_size_of(student, teacher), 0.0, zero()
        images, channels, height, width = teacher.shape
        for b in range(images):
            for i in range(height):
                for j in range(width):
                    score = float(scores[b, 0, i, j])
                    squares = [(float(teacher[b, c, i, j]) - mine[b, c, i, j]) ** 2 for c in range(channels)]
                    error, weight = error + score * sum(squares, zero()) / channels, weight + score
        total = total + error / weight
    return total
