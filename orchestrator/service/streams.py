"""Stream the queue's transitions to clients that stay connected."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from functools import partial

from orchestrator.core.errors import OperationError
from orchestrator.service.queue import Queue, QueueEvent
from orchestrator.service.threads import Busy, Threads

LOOK_S, SILENCE_S = 0.5, 15.0  # between looks for events; before a stream says that it lives
MOST_STREAMS = 64
log = logging.getLogger(__name__)


class Streams:
    """Begin streams of events, as many as ``most`` at a time."""

    def __init__(self, queue: Queue, threads: Threads, most: int = MOST_STREAMS) -> None:
        self._queue, self._threads, self._most, self._under_way = queue, threads, most, 0

    def begin(self, after: int, *, follow: bool) -> AsyncIterator[str]:
        """Return the events after a number; raise ``Busy`` when too many clients listen."""
        if self._under_way >= self._most:
            raise Busy(f"{self._most} clients follow the events already")
        return self._counted(after, follow=follow)

    async def _counted(self, after: int, *, follow: bool) -> AsyncIterator[str]:
        """Yield the messages; a queue that cannot be read ends them: the client goes on after the last it has."""
        self._under_way += 1
        try:
            async for message in self._messages(after, follow=follow):
                yield message
        except (Busy, OperationError) as error:
            log.warning("a stream of events ends: %s", error)
        finally:
            self._under_way -= 1

    async def _messages(self, after: int, *, follow: bool) -> AsyncIterator[str]:
        """Yield transitions in the form of server-sent events, and a comment now and then while nothing happens."""
        quiet_s = 0.0
        while True:
            for event in await self._threads.run(partial(self._queue.events, after)):
                yield as_message(event)
                after, quiet_s = event.number, 0.0
            if not follow:
                return
            await asyncio.sleep(LOOK_S)
            quiet_s += LOOK_S
            if quiet_s >= SILENCE_S:
                yield ": still here\n\n"
                quiet_s = 0.0


def as_message(event: QueueEvent) -> str:
    """Write a transition as a server-sent event."""
    return f"id: {event.number}\nevent: transition\ndata: {json.dumps(event.to_json())}\n\n"
