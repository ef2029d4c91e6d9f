"""Run calls that block in threads, a limited number of each kind, so that no kind can hold up another."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")


class Busy(Exception):
    """Report that too many requests of a kind are under way or wait; the message is a sentence for the client."""


class Threads:
    """Hold the threads for one kind of call. At most ``most_waiting`` calls wait for one of them; the next are refused."""

    def __init__(self, threads: int, most_waiting: int, reason: str) -> None:
        self._limiter, self._most, self._reason = CapacityLimiter(threads), threads + most_waiting, reason
        self._calls = 0

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return the result of ``call`` in a thread; raise ``Busy`` when too many wait for one.

        A cancelled call goes on in its thread, and nobody gets its result.
        """
        if self._calls >= self._most:
            raise Busy(self._reason)
        self._calls += 1
        try:
            return await to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)
        finally:
            self._calls -= 1


@dataclass(frozen=True)
class ServiceThreads:
    """Hold the service's kinds of calls: a cluster may hang, a study may take seconds, the queue takes milliseconds."""

    cluster: Threads = field(default_factory=lambda: Threads(8, 0, "the cluster has not answered 8 requests yet"))
    studies: Threads = field(default_factory=lambda: Threads(2, 64, "64 studies wait to be read"))
    queue: Threads = field(default_factory=lambda: Threads(8, 512, "512 requests wait for the queue"))
