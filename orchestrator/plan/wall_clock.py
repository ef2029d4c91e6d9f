"""Count the hours that the runs of a study have taken by the clock, over all of its runs."""

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path

from trainers.schema.atomic import write_text

KEEP_EVERY_S = 10.0  # what a killed run may lose


class WallClock:
    """Add the time inside ``counting`` to the seconds in the file at ``path``; without one, nothing was counted yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before_s = _seconds_in(path)
        self._began: float | None = None
        self._kept = 0.0

    @property
    def seconds(self) -> float:
        """Return the seconds by now, those of earlier runs included."""
        return self._before_s + (0.0 if self._began is None else time.monotonic() - self._began)

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count the time of the block."""
        self._began = self._kept = time.monotonic()
        try:
            yield
        finally:
            self._before_s, self._began = self.seconds, None
            self._write()

    def keep(self) -> None:
        """Write the seconds down now and then, for a process that is killed."""
        if self._began is not None and time.monotonic() - self._kept >= KEEP_EVERY_S:
            self._kept = time.monotonic()
            self._write()

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the run, nor hide its results
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, f"{self.seconds:.3f}\n")


def _seconds_in(path: Path) -> float:
    try:
        seconds = float(path.read_text())
    except (OSError, ValueError):
        return 0.0
    return seconds if 0.0 <= seconds < math.inf else 0.0
