"""A stream of events goes on from a number, says that it lives, and ends quietly where the queue cannot be read."""

import asyncio
from typing import Any

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.service import streams as module
from orchestrator.service.streams import Streams
from orchestrator.service.threads import Busy


class Event:
    def __init__(self, number: int) -> None:
        self.number = number

    def to_json(self) -> dict[str, int]:
        return {"n": self.number}


class Source:
    """Stand for a queue and its threads: give lists of events, or raise; note after which numbers was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), list[int]()

    def events(self, after: int) -> list[Event]:
        self.asked.append(after)
        found = self.answers.pop(0) if self.answers else OperationError("over")
        if isinstance(found, Exception):
            raise found
        return [Event(number) for number in found]

    async def run(self, call: Any) -> Any:
        return call()


async def messages(source: Source, after: int = 0, follow: bool = True) -> list[str]:
    streams = Streams(source, source, most=1)
    found = [message async for message in streams.begin(after, follow=follow)]
    assert streams._under_way == 0
    return found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)


def text(number: int) -> str:
    return f'id: {number}\nevent: transition\ndata: {{"n": {number}}}\n\n'


def test_each_event_comes_once_and_the_next_look_begins_after_it():
    source = Source([3, 4], [], [7])
    assert asyncio.run(messages(source, after=2)) == [text(3), text(4), text(7)]
    assert source.asked == [2, 4, 4, 7]


def test_without_following_there_is_one_look():
    source = Source([3])
    assert asyncio.run(messages(source, follow=False)) == [text(3)]
    assert source.asked == [0]


@pytest.mark.parametrize("error", [Busy("too many"), OperationError("the queue is damaged")])
def test_a_queue_that_cannot_be_read_ends_the_stream_and_says_so_in_the_log(error, caplog):
    assert asyncio.run(messages(Source([3], error))) == [text(3)]
    assert f"a stream of events ends: {error}" in caplog.text


def test_silence_is_broken_by_a_comment_and_counted_anew_after_an_event(monkeypatch):
    monkeypatch.setattr(module, "SILENCE_S", 3.0)
    monkeypatch.setattr(module, "LOOK_S", 1.0)

    async def no_sleep(seconds: float) -> None:
        assert seconds == 1.0

    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    found = asyncio.run(messages(Source([], [], [5], [], [], [], [])))
    assert found == [text(5), ": still here\n\n"]
