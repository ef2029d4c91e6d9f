"""Rank rows so that a difference within the spread is no difference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ERRORS = 2.0  # standard errors to each side of a mean


@dataclass(frozen=True)
class Sample:
    """Hold a row's mean, sample standard deviation (``None`` for one value) and number of values."""

    mean: float
    spread: float | None
    n: int


def intervals(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Return mean ± two standard errors of each row.

    A row of one value borrows the pooled spread of the others; where none has several values it is the value alone.
    """
    pooled = _pooled(samples)
    return [(sample.mean - margin, sample.mean + margin) for sample in samples for margin in (_margin(sample, pooled),)]


def ranks(means: Sequence[float], bounds: Sequence[tuple[float, float]]) -> list[int]:
    """Return the rank of each row, 1 for the highest mean; rows whose interval meets that of the first of a rank share it.

    From the highest mean downwards: a row joins the rank before it while its interval overlaps the interval of that
    rank's first row; the first that does not opens a new rank, numbered by how many rows are above it plus one.
    """
    order = sorted(range(len(means)), key=lambda index: -means[index])
    found = [0] * len(means)
    first = rank = 0
    for place, index in enumerate(order):
        if place == 0 or bounds[index][1] < bounds[first][0]:
            first, rank = index, place + 1
        found[index] = rank
    return found


def _pooled(samples: Sequence[Sample]) -> float:
    """Return the spread of single values: the root of the variances' mean, weighted by degrees of freedom."""
    several = [(sample.spread, sample.n) for sample in samples if sample.spread is not None and sample.n > 1]
    freedom = sum(n - 1 for _, n in several)
    return math.sqrt(sum(spread**2 * (n - 1) for spread, n in several) / freedom) if freedom else 0.0


def _margin(sample: Sample, pooled: float) -> float:
    spread = pooled if sample.spread is None else sample.spread
    return ERRORS * spread / math.sqrt(max(sample.n, 1))
