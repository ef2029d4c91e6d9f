"""Calls of one kind wait for each other only, and not too many of them."""

import asyncio
import threading

import pytest

from orchestrator.service.streams import Streams
from orchestrator.service.threads import Busy, ServiceThreads, Threads


def test_calls_beyond_the_limit_are_refused_and_others_go_on():
    async def act() -> list[object]:
        go_on = threading.Event()
        slow, other = Threads(2, 1, "three hang"), Threads(1, 0, "")
        calls = [asyncio.create_task(slow.run(lambda: go_on.wait(20))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="three hang"):
            await slow.run(lambda: True)
        other_says = await other.run(lambda: "here")
        go_on.set()
        return [other_says, *await asyncio.gather(*calls), await slow.run(lambda: "again")]

    assert asyncio.run(act()) == ["here", True, True, True, "again"]


def test_streams_are_counted_until_they_end(tmp_path):
    from orchestrator.service.queue import Queue

    async def act() -> None:
        streams = Streams(Queue(tmp_path / "queue.db", 3), ServiceThreads().queue, most=1)
        assert [message async for message in streams.begin(0, follow=False)] == []
        stream = streams.begin(0, follow=True)
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.01)
        with pytest.raises(Busy, match="1 clients follow"):
            streams.begin(0, follow=True)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert [message async for message in streams.begin(0, follow=False)] == []

    asyncio.run(act())
