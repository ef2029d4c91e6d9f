"""Choose moments to kill at, and see on the disk when they have come."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

ENDED = 1_000_000  # more than any step


def committed(store: Path) -> int:
    """Return a number that grows whenever a trial of the store saves a state, a record or its outcome."""
    return sum(_reached(directory) for directory in store.glob("trials/*"))


def _reached(directory: Path) -> int:
    if (directory / "outcome.json").exists():
        return ENDED
    return max((int(path.stem.partition("-")[2]) for path in directory.glob("resume-*.pt")), default=0)


def records(store: Path) -> int:
    """Return the size of all histories; it changes when a record is added."""
    return _sizes(store, "trials/*/history.jsonl")


def outcomes(store: Path) -> int:
    """Return the size of all outcomes; it changes when a trial ends."""
    return _sizes(store, "trials/*/outcome.json")


def files_in_work(store: Path) -> int:
    """Return how many files are being written."""
    return len(list(store.glob("trials/*/.*.partial")))


def _sizes(store: Path, pattern: str) -> int:
    sizes = 0
    for path in store.glob(pattern):
        try:
            sizes += path.stat().st_size
        except FileNotFoundError:
            continue
    return sizes


@dataclass
class Moment:
    """Wait for one moment: ``delay_s`` after what ``watched`` returns has changed, or from now on without that."""

    name: str
    delay_s: float
    watched: Callable[[Path], int] | None = None
    times: int = 1
    _last: int | None = None
    _since: float | None = None

    def has_come(self, store: Path, now: float | None = None) -> bool:
        """Look, and tell; ``now`` is in seconds of the monotonic clock."""
        now = time.monotonic() if now is None else now
        if self._since is None and self._happened(store):
            self._since = now
        return self._since is not None and now - self._since >= self.delay_s

    def _happened(self, store: Path) -> bool:
        if self.watched is None:
            return True
        seen = self.watched(store)
        if self._last is not None and seen > self._last:
            self.times -= 1
        self._last = seen
        return self.times == 0


def draw(random: Random) -> Moment:
    """Draw a moment: early in a command's life, in the midst of training, or as close to a write as looking comes."""
    moments = (
        Moment("start", random.uniform(0.2, 10.0)),
        Moment("training", random.uniform(0.0, 0.5), committed, random.randint(1, 6)),
        Moment("writing", 0.0, files_in_work, random.randint(1, 12)),
        Moment("record", random.uniform(0.0, 0.3), records),
        Moment("outcome", random.uniform(0.0, 0.5), outcomes),
    )
    [chosen] = random.choices(moments, weights=(3, 4, 4, 3, 1))  # a study has few outcomes to wait for
    return chosen
