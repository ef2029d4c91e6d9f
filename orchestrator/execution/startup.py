"""Say that a run is starting Ray, and how long the parts of the start took if that was long."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.core.durations import duration

log = logging.getLogger(__name__)
LONG_S = 3.0


class Startup:
    """Announce the parts of a start as they begin; ``done`` adds up a long one."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, float]] = []

    @contextmanager
    def part(self, name: str, said: str = "") -> Iterator[None]:
        """Time a part of the start; ``said`` is logged as it begins."""
        if said:
            log.info(said)
        began = time.monotonic()
        yield
        self._parts.append((name, time.monotonic() - began))

    def done(self) -> None:
        """Say how long the start took, by its parts."""
        whole = sum(seconds for _, seconds in self._parts)
        if whole > LONG_S:
            parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in self._parts)
            log.info("Ray is up after %s (%s)", duration(whole), parts)


def ray_is_up() -> bool:
    """Return whether this process has a Ray already; does not import it."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())
