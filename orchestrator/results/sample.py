"""Summarise one metric over repetitions: mean, spread and number of values."""

import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LARGEST = sys.float_info.max


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


def is_number(value: float | None) -> bool:
    """Tell whether a measurement gave a number: NaN and infinities are failed measurements.

    MLflow's databases hold the largest float in the place of infinity.
    """
    return value is not None and math.isfinite(value) and abs(value) < LARGEST


def numbers_in(values: Iterable[float | None]) -> list[float]:
    """Return the values that are numbers."""
    return [value for value in values if value is not None and is_number(value)]


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
