"""Summarise one metric over repetitions: mean, spread and number of values."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.core.numbers import numbers_in


@dataclass(frozen=True)
class Sample:
    """Hold a mean, the sample standard deviation (n - 1, ``None`` for one value) and the number of values."""

    mean: float
    spread: float | None
    n: int

    @property
    def standard_error(self) -> float | None:
        """Return the standard error of the mean, ``None`` for one value."""
        return None if self.spread is None else self.spread / math.sqrt(self.n)


def sample_of(values: Iterable[float | None]) -> Sample | None:
    """Return the sample of the values that are numbers, ``None`` where there is none.

    The sums are exact, so the same values give the same sample in any order.
    """
    numbers = numbers_in(values)
    return Sample(statistics.fmean(numbers), spread_of(numbers), len(numbers)) if numbers else None


def spread_of(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation, ``None`` for fewer than two values."""
    if len(values) < 2:
        return None
    if min(values) == max(values):
        return 0.0
    mean = statistics.fmean(values)  # ``statistics.stdev`` counts in fractions: ten times as long for the same digits
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
