"""Distinguish numbers from failed measurements."""

import math
import sys
from collections.abc import Iterable

LARGEST = sys.float_info.max


def is_number(value: float | None) -> bool:
    """Return whether a measurement gave a number: NaN and infinities are failed measurements.

    MLflow's databases hold the largest float in the place of infinity.
    """
    return value is not None and math.isfinite(value) and abs(value) < LARGEST


def numbers_in(values: Iterable[float | None]) -> list[float]:
    """Return the values that are numbers."""
    return [value for value in values if value is not None and is_number(value)]
