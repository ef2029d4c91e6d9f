"""Take numbers from annotation files, which may hold anything in their place."""

import math
from typing import Any


def number(value: Any) -> float | None:
    """Return a JSON number as a float, ``None`` for anything else; a number too large for a float becomes infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def finite(value: Any) -> float | None:
    """Return a JSON number as a float, ``None`` for anything else, NaN and infinity among it."""
    found = number(value)
    return found if found is not None and math.isfinite(found) else None


def shown(value: Any) -> str:
    """Return a value for a message, cut to a length that fits."""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."
