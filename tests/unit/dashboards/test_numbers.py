"""Numbers are written so that JSON can hold every one of them."""

import math
import sys

import pytest

from dashboards.numbers import CURVE, EXACT, number


@pytest.mark.parametrize("digits", [CURVE, EXACT])
@pytest.mark.parametrize("value", [sys.float_info.max, -sys.float_info.max, 1.797693e308, 5e-324, 0.1])
def test_a_number_stays_finite(value: float, digits: int) -> None:
    """Five digits of the largest float, rounded up, are above all floats."""
    found = number(value, digits)
    assert isinstance(found, float)
    assert math.isfinite(found)
    assert found == pytest.approx(value, rel=10.0 ** (1 - digits), abs=0.0)
