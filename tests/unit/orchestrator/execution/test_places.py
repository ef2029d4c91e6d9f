"""How many trials a growing cluster has places for is counted beside Ray Tune's loop, and taken over in it."""

import threading
import time
from collections.abc import Callable

import pytest
from ray.tune.search import Searcher

from orchestrator.execution import places
from orchestrator.execution.places import Places, counted_aside


def until(condition: Callable[[], bool]) -> bool:
    """Return whether a condition comes to hold within some seconds."""
    end = time.monotonic() + 10.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_the_loop_never_waits_for_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "COUNT_EVERY_S", 0.01)
    counts, hanging, threads = iter((2, 5)), threading.Event(), []

    def count() -> int:
        threads.append(threading.current_thread())
        found = next(counts, None)
        if found is None:
            hanging.wait(10.0)
            raise ConnectionError("the head is away")
        return found

    with counted_aside(count) as counted:
        assert counted is not None
        bound = Places(counted)
        search = bound.bound(Searcher())
        assert search.max_concurrent == 2
        assert until(lambda: len(threads) > 2)  # the third count hangs
        bound.on_step_begin(1, [])
        assert search.max_concurrent == 5
        hanging.set()
        assert until(lambda: len(threads) > 4)  # and its failure is no end
        assert counted() == 5
    assert threading.current_thread() not in threads[1:]


def test_a_fixed_cluster_is_not_counted() -> None:
    before = threading.active_count()
    with counted_aside(None) as counted:
        assert counted is None
        assert threading.active_count() == before
