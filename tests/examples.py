"""Scale the number of Hypothesis's examples with the profile."""

from hypothesis import settings


def examples(number: int) -> int:
    """Return how many examples a test draws that draws ``number`` in CI."""
    return max(1, number * settings().max_examples // 100)
