"""Time two pieces of work in interleaved pairs, and bound the ratio."""

import math
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

LEAST_PAIRS = 5  # with fewer, not even the largest ratio bounds the median with 95 % confidence

Work = Callable[[], object]


@dataclass(frozen=True)
class Pairs:
    """Hold the seconds that two pieces of work took, pair by pair."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Return each pair's ratio, ours over theirs."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]


@dataclass(frozen=True)
class Clock:
    """Read the time: on a wall, or (``cpu``) what this process has had of the processors, which other processes cannot slow.

    Processes that it started and that have ended are counted with it. The two agree for work of one thread on an idle machine. A GPU has only the wall's, once it has done what was asked.
    """

    device: torch.device
    cpu: bool = False

    def seconds(self, work: Work) -> float:
        """Return how long ``work`` takes, what it has queued on the device included."""
        began = self.now()
        work()
        return self.now() - began

    def now(self) -> float:
        """Return the time in seconds, from some moment on."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            return time.perf_counter()
        return time.process_time() + _ended() if self.cpu else time.perf_counter()


def _ended() -> float:
    """Return the processor time of processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def interleave(ours: Work, theirs: Work, pairs: int, clock: Clock, *, warm_up: int = 1) -> Pairs:
    """Time ``ours`` and ``theirs`` one after the other, ``pairs`` times; every other pair begins with ``theirs``.

    What else the machine does then slows both alike. Both run ``warm_up`` times before, untimed.
    """
    for _ in range(warm_up):
        ours()
        theirs()
    return Pairs(*zip(*(timed_pair(ours, theirs, number, clock) for number in range(pairs)), strict=True))


def timed_pair(ours: Work, theirs: Work, number: int, clock: Clock) -> tuple[float, float]:
    """Return the seconds of both sides; pairs of odd ``number`` begin with ``theirs``."""
    if number % 2:
        second = clock.seconds(theirs)
        return clock.seconds(ours), second
    return clock.seconds(ours), clock.seconds(theirs)


def upper_bound(values: Sequence[float], confidence: float = 0.95) -> float:
    """Return the upper bound of the median, one-sided, free of any assumption about how ``values`` scatter.

    It is the smallest order statistic x_k that lies below the median with a probability of at most 1 - ``confidence``:
    that takes k or more of n independent values below the median, each of which is there as often as a coin shows
    heads. Raises ``ValueError`` for fewer values than can bound it.
    """
    ordered, count = sorted(values), len(values)
    for rank in range(1, count + 1):
        missed = sum(math.comb(count, below) for below in range(rank, count + 1)) / 2**count
        if missed <= 1 - confidence:
            return ordered[rank - 1]
    raise ValueError(f"{count} values do not bound their median with {confidence:.0%} confidence")


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
