"""Fit the shape of drawn curves to recorded ones."""

import json
import math
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tests.benchmarks.replay.curves import EPOCHS, Shape

HERE = Path(__file__).parent
RECORDED = ("bccd",)


def fitted(name: str) -> Shape:
    """Return the shape of recorded curves: APs by point, seed and three evaluations; all points have the same seeds.

    Recorded epochs are stretched to ``EPOCHS``. The last evaluations are taken apart into points, seeds and a rest
    (two-way analysis of variance); half of the rest's variance counts as noise of one evaluation, which these curves cannot
    tell from it. Delay and rate are those of a mean curve that is at its top in the end. The rest is larger at
    the first evaluation than at the last one, because trials differ in their rates. Points are taken to differ in their rates
    half as much; the recorded ones do not differ by more than their trials explain.
    """
    recorded: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    first, middle, last = ([[curve[at] for curve in point] for point in recorded["curves"]] for at in range(3))
    epochs = [EPOCHS * epoch / recorded["epochs"][-1] for epoch in recorded["epochs"]]
    early, midway, top = (fmean(map(fmean, rows)) for rows in (first, middle, last))
    rate = math.log((1 - early / top) / (1 - midway / top)) / (epochs[1] - epochs[0])
    passed = -math.log(1 - early / top)  # the rate times the epochs after the delay
    points, seed, rest = parts(last)
    added = math.sqrt(max(parts(first)[2] ** 2 - (early / top * rest) ** 2, 0.0))
    jitter = added / (top * passed * math.exp(-passed))  # by the slope of the AP in the logarithm of the rate
    half = rest / math.sqrt(2)
    return Shape(points, seed, half, half, epochs[0] - passed / rate, rate, jitter / 2, jitter, top=top)


def parts(rows: list[list[float]]) -> tuple[float, float, float]:
    """Return the standard deviations of points, of seeds, and of the rest of a table of points by seeds."""
    middle = fmean(map(fmean, rows))
    points, seeds = (
        [fmean(row) - middle for row in rows],
        [fmean(column) - middle for column in zip(*rows, strict=True)],
    )
    squares = [
        (value - middle - point - seed) ** 2
        for row, point in zip(rows, points, strict=True)
        for value, seed in zip(row, seeds, strict=True)
    ]
    rest = sum(squares) / ((len(points) - 1) * (len(seeds) - 1))
    true = [max(stdev(found) ** 2 - rest / n, 0.0) for found, n in ((points, len(seeds)), (seeds, len(points)))]
    return math.sqrt(true[0]), math.sqrt(true[1]), math.sqrt(rest)
