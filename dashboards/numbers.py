"""Write numbers as JSON can hold them."""

import math
from collections.abc import Iterable

from dashboards.schema import Number, Numbers

EXACT, CURVE = 9, 5  # significant digits


def number(value: float | None, digits: int = EXACT) -> Number:
    """Return a number of ``digits`` significant digits; NaN and infinities, which JSON lacks, as texts."""
    if value is None or value == 0:
        return None if value is None else 0.0
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    found = float(f"{value:.{digits}g}")
    return found if math.isfinite(found) else value  # the largest floats are rounded up to infinity


def numbers(values: Iterable[float | None], digits: int = EXACT) -> Numbers:
    """Return a list of numbers as JSON can hold them."""
    return [number(value, digits) for value in values]


def is_finite(value: float | None) -> bool:
    """Return whether there is a value to calculate with."""
    return value is not None and math.isfinite(value)


def finite(value: float | None) -> float | None:
    """Return a value to calculate with, ``None`` for one that is missing, NaN or infinite."""
    return value if is_finite(value) else None
