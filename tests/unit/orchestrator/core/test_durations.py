"""Lengths of time are written in their largest unit, and the next smaller one where that is not zero."""

import pytest

from orchestrator.core.durations import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0 s"), (0.0, "0 s"), (0.6, "1 s"), (59.4, "59 s"), (59.5, "1 min"), (60.0, "1 min"), (89.0, "1 min"), (91.0, "2 min"),
        (59 * 60.0, "59 min"), (3569.0, "59 min"), (3571.0, "1 h"), (3600.0, "1 h"), (4800.0, "1 h 20 min"), (7200.0, "2 h"),
        (86_000.0, "23 h 53 min"), (86_400.0, "1 d"), (90_000.0, "1 d 1 h"), (172_800.0, "2 d"), (176_000.0, "2 d 1 h"),
    ],
)  # fmt: skip
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert duration(seconds) == text
