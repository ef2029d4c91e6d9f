"""Prove that readers and hosts wait for each other at the broker, and no longer than they have to."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from orchestrator.failures.kinds import FailureKind, classify
from orchestrator.worker_groups import broker as module
from orchestrator.worker_groups.broker import Broker, Reply
from orchestrator.worker_groups.queue import Slot
from orchestrator.worker_groups.records import linked
from trainers.schema.record import Record

FIRST = Record(1, 1, {})


def slot(name: str, position: int) -> Slot:
    return Slot(name, "one", position, f"job of {name}", -1, 0.0, "lease_id")


def begun(size: int, expected: dict[str, str], open_ended: bool) -> Broker:
    """Return a broker whose pool has told it to begin."""
    desk = Broker(size, expected, open_ended)
    with pytest.raises(StopIteration):
        desk.begin().send(None)
    return desk


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, 10.0))


def test_a_host_waits_for_its_cohort_and_a_reader_for_its_record() -> None:
    async def scene() -> None:
        desk = begun(2, {"a": "one", "b": "one"}, False)
        jobs = asyncio.create_task(desk.cohort("host"))
        await desk.enqueue(slot("a", 0))
        await asyncio.sleep(0)
        assert not jobs.done()
        await desk.enqueue(slot("b", 1))
        assert await jobs == ["job of a", "job of b"]
        reply = asyncio.create_task(desk.take("a", "lease_id", 60.0))
        await asyncio.sleep(0)
        await desk.put("host", "a", FIRST)
        assert await reply == Reply(FIRST)
        stay = asyncio.create_task(desk.active_trials("host", ["a", "b"]))
        await asyncio.sleep(0)
        assert not stay.done()  # the scheduler has not judged it
        again = asyncio.create_task(desk.take("a", "lease_id", 60.0))
        assert await stay == ["a", "b"]
        await desk.end("host")
        assert await again == Reply()

    play(scene())


def test_a_host_goes_when_nothing_is_left_to_come() -> None:
    async def scene() -> None:
        desk = begun(2, {"a": "one"}, False)
        jobs = asyncio.create_task(desk.cohort("host"))
        await asyncio.sleep(0)
        await desk.leave("a")
        assert await jobs == []

    play(scene())


def test_a_trial_that_nobody_trains_is_told_after_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)

    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        await desk.enqueue(slot("a", 0))
        assert await desk.take("a", "lease_id", 0.1) == Reply(starved=True)

    play(scene())


def test_a_reader_that_was_replaced_hears_no_more() -> None:
    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        await desk.enqueue(slot("a", 0))
        await desk.cohort("host")
        assert await desk.take("a", "another", 60.0) == Reply()

    play(scene())


def test_a_reader_of_a_broker_that_was_lost_starts_again_as_after_any_lost_process() -> None:
    async def scene() -> None:
        reply = await Broker(1, {}, False).take("a", "lease_id", 60.0)
        assert classify(linked(reply.errors)) is FailureKind.WORKER_LOST

    play(scene())


def test_a_host_that_has_not_come_up_can_be_let_go_and_gets_no_cohort() -> None:
    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        assert await desk.dismiss("late")
        await desk.enqueue(slot("a", 0))
        assert await desk.cohort("late") == []
        assert await desk.cohort("host") == ["job of a"]

    play(scene())


def test_a_host_that_is_up_is_not_let_go() -> None:
    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        await desk.enqueue(slot("a", 0))
        assert await desk.cohort("host") == ["job of a"]
        assert not await desk.dismiss("host")
        assert (await desk.demand()).up == {"host"}

    play(scene())


def test_idle_hosts_give_their_machines_back_but_one_that_is_needed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(module, "IDLE_S", 0.05)

    async def scene() -> None:
        desk = begun(1, {"a": "one"}, True)
        idle = [asyncio.create_task(desk.cohort(name)) for name in ("first", "second")]
        await asyncio.sleep(0.3)
        assert sorted(task.done() for task in idle) == [False, True]  # one waits for a, which is still to come
        await desk.enqueue(slot("a", 0))
        assert sorted([await task for task in idle]) == [[], ["job of a"]]

    play(scene())


def test_a_host_that_died_while_it_waited_gets_no_cohort() -> None:
    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        dead = asyncio.create_task(desk.cohort("dead"))
        await asyncio.sleep(0)
        await desk.forget("dead")
        await desk.enqueue(slot("a", 0))
        assert await dead == []
        assert await desk.cohort("host") == ["job of a"]

    play(scene())


def test_a_trial_waits_on_while_a_machine_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)

    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        await desk.enqueue(slot("a", 0))
        reply = asyncio.create_task(desk.take("a", "lease_id", 0.2))
        for _ in range(20):
            await desk.keep_waiting()
            await asyncio.sleep(0.02)
        assert not reply.done()
        assert await reply == Reply(starved=True)

    play(scene())


def test_a_group_whose_controller_alone_is_up_trains_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)

    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        await desk.note("host", "controller", "its handle")  # it waits for its workers' places
        await desk.enqueue(slot("a", 0))
        assert await desk.take("a", "lease_id", 0.1) == Reply(starved=True)

    play(scene())


def test_a_broker_that_comes_back_gives_no_trial_before_the_hosts_of_the_one_before_have_ended() -> None:
    """They may be in the midst of an epoch: of a trial that another host would get."""

    async def scene() -> None:
        desk = Broker(1, {"a": "one"}, False)
        await desk.enqueue(slot("a", 0))
        assert not (await desk.demand()).begun
        jobs = asyncio.create_task(desk.cohort("host"))
        await asyncio.sleep(0)
        for old in ("first", "second", "third"):  # they meet a broker that does not know them, which is no death
            await desk.end(old, (KeyError("a"),))
        assert not jobs.done()
        await desk.begin()
        assert await jobs == ["job of a"]

    play(scene())


def test_what_a_host_has_sent_before_its_end_gives_it_no_cohort_after_it() -> None:
    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        await desk.forget("dead")
        await desk.enqueue(slot("a", 0))
        assert await desk.cohort("dead") == []
        assert (await desk.demand()).up == frozenset()
        assert await desk.cohort("host") == ["job of a"]

    play(scene())


def test_a_cohort_that_a_host_got_after_its_death_goes_to_another() -> None:
    async def scene() -> None:
        desk = begun(1, {"a": "one"}, False)
        dead = asyncio.create_task(desk.cohort("dead"))
        await asyncio.sleep(0)
        await desk.end("dead", (RuntimeError("gone"),))
        await desk.enqueue(slot("a", 0))
        assert await dead == ["job of a"]  # nobody hears of it
        await desk.forget("dead")
        assert await desk.cohort("host") == ["job of a"]

    play(scene())
