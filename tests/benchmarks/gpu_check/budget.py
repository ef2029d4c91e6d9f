"""Tell a part of the check how much of its share is left."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]  # a measured row, as the JSON file holds it: its "name", and what was found
RESERVE = 1.5  # times the longest so far must be left to begin another


@dataclass(frozen=True)
class Budget:
    """Hold when the share ends, on the machine's monotonic clock, which all processes read alike."""

    ends: float

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.ends - time.monotonic()

    def has(self, seconds: float) -> bool:
        """Tell whether there is room for what has taken so many seconds at most."""
        return self.left() > RESERVE * seconds

    def spend(self, cells: list[Callable[[], Row]], record: Callable[[Row], None]) -> None:
        """Measure and record cells one after the other, and stop before one that would hardly end within the share."""
        longest = 0.0
        for cell in cells:
            if not self.has(longest):
                return
            began = time.monotonic()
            record(cell())
            longest = max(longest, time.monotonic() - began)
