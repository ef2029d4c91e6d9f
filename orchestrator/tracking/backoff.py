"""Choose how long to wait before asking again."""

import random

FIRST_S, LONGEST_S = 0.5, 30.0


class Backoff:
    """Wait twice as long after each failure, up to a bound, and a random part of it less: many runs share a server."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self._failures = 0

    def next_s(self, longest_s: float = LONGEST_S) -> float:
        """Return the seconds to wait after one more failure, between half the bound of its turn and all of it."""
        bound = min(FIRST_S * 2.0 ** min(self._failures, 16), longest_s)
        self._failures += 1
        return bound * (0.5 + self._random.random() / 2)

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._failures = 0
