"""Files of runs: read beside each other within a bound, once for all who ask, and kept while there is room."""

import asyncio
import threading

import pytest

from dashboards import artifact_cache
from dashboards.artifact_cache import FRESH_S, READS, ArtifactCache
from orchestrator.core.errors import OperationError


class Store:
    """Hold files by path; a read waits until ``go_on`` is set."""

    def __init__(self, **files: bytes) -> None:
        self.files, self.read, self.failing = files, list[str](), False
        self.go_on, self.under_way, self.most, self._lock = threading.Event(), 0, 0, threading.Lock()
        self.go_on.set()

    def artifact(self, run: str, path: str, largest: int) -> bytes | None:
        with self._lock:
            self.read.append(path)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        assert self.go_on.wait(20)
        with self._lock:
            self.under_way -= 1
        if self.failing:
            raise OperationError("the tracking store failed")
        return self.files.get(path)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def contents(cache: ArtifactCache, *paths: str) -> list[bytes | None]:
    async def ask() -> list[bytes | None]:
        found = await asyncio.gather(*(cache.file("run", path) for path in paths))
        return [None if one is None else one.content for one in found]

    return asyncio.run(ask())


def test_a_file_is_read_once_for_all_who_ask():
    store = Store(a=b"A")
    cache = ArtifactCache(store)
    assert contents(cache, *["a"] * 50) == [b"A"] * 50
    assert contents(cache, "a", "absent", "absent") == [b"A", None, None]
    assert store.read == ["a", "absent"]


def test_files_are_read_beside_each_other_within_the_bound():
    store = Store(**{str(number): b"x" for number in range(20)})
    store.go_on.clear()

    async def act() -> None:
        cache = ArtifactCache(store)
        asked = asyncio.gather(*(cache.file("run", str(number)) for number in range(20)))
        while store.under_way < READS:
            await asyncio.sleep(0)
        store.go_on.set()
        await asked

    asyncio.run(act())
    assert store.most == READS


def test_a_file_that_was_replaced_is_seen_after_a_while():
    store, clock = Store(a=b"old"), Clock()
    cache = ArtifactCache(store, clock=clock)
    assert contents(cache, "a") == [b"old"]
    store.files["a"] = b"new"
    assert contents(cache, "a") == [b"old"]
    clock.now = FRESH_S
    assert contents(cache, "a") == [b"new"]


def test_room_is_kept_for_what_was_asked_for_last_and_equal_contents_count_once():
    store = Store(a=b"1" * 40, b=b"1" * 40, c=b"2" * 40, d=b"3" * 40)
    cache = ArtifactCache(store, room=100)
    contents(cache, "a")
    contents(cache, "b")
    contents(cache, "c")
    assert cache._size == 80
    contents(cache, "a")
    contents(cache, "d")  # 120 bytes with it: b and then c, which waited longest, leave
    assert cache._size == 80
    store.read.clear()
    contents(cache, "a", "d", "b", "c")
    assert sorted(store.read) == ["b", "c"]


def test_a_failure_is_said_to_all_who_wait_and_not_kept():
    store = Store(a=b"A")
    cache = ArtifactCache(store)
    store.failing = True

    async def fails() -> list[BaseException | object]:
        return await asyncio.gather(*(cache.file("run", "a") for _ in range(3)), return_exceptions=True)

    assert [type(one) for one in asyncio.run(fails())] == [OperationError] * 3
    store.failing = False
    assert contents(cache, "a") == [b"A"]


def test_reads_that_wait_have_a_bound(monkeypatch):
    monkeypatch.setattr(artifact_cache, "MOST_WAITING", 2)
    store = Store()

    async def act() -> None:
        cache = ArtifactCache(store)
        asked = [asyncio.create_task(cache.file("run", str(number))) for number in range(READS + 3)]
        with pytest.raises(OperationError, match="wait to be read"):
            await asked[-1]
        await asyncio.gather(*asked[:-1])

    asyncio.run(act())
