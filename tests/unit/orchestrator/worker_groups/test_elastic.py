"""Prove how many workers an elastic group begins with, and what happens to its trials when it is to become larger."""

import asyncio

import pytest

from orchestrator.worker_groups.broker import Broker
from orchestrator.worker_groups.capacity import wanted
from orchestrator.worker_groups.elastic import SETTLE_S, GroupSizes, size_that_fits
from tests.unit.orchestrator.worker_groups.test_broker import FIRST, play, slot
from trainers.schema import Placement
from trainers.schema.trial import group_sizes

ELASTIC = Placement(workers=8, least=2, threads=2)
Nodes = list[dict[str, float]]


class Cluster:
    """Stand for Ray's numbers and for the clock."""

    def __init__(self, *cpus: float) -> None:
        self.now, self.nodes = 100.0, [{"CPU": each, "memory": 1.0} for each in cpus]

    def sizes(self, placement: Placement = ELASTIC) -> GroupSizes:
        return GroupSizes(placement, lambda: self.nodes, lambda: self.now)


@pytest.mark.parametrize(
    ("least", "most", "sizes"),
    [(2, 8, (2, 4, 8)), (1, 6, (1, 2, 3, 6)), (5, 8, (8,)), (3, 9, (3, 9)), (4, 4, (4,))],
)
def test_sizes_divide_the_largest(least: int, most: int, sizes: tuple[int, ...]) -> None:
    assert group_sizes(least, most) == sizes


@pytest.mark.parametrize(
    ("cpus", "size"),
    [
        ((16,), 8),
        ((15,), 4),
        ((5, 5), 4),
        ((3, 3, 3, 3, 1), 4),
        ((7,), 2),
        ((3,), None),
        ((1, 1, 1, 1), None),
        ((), None),
    ],
)
def test_a_group_has_as_many_workers_as_fit_and_none_is_spread_over_two_machines(
    cpus: tuple[float, ...], size: int | None
) -> None:
    assert size_that_fits(ELASTIC, Cluster(*cpus).nodes) == size


def test_gpus_count_where_workers_have_them() -> None:
    placement = ELASTIC.model_copy(update={"cuda": True})
    nodes: Nodes = [{"CPU": 64.0, "GPU": 3.0}, {"CPU": 2.0, "GPU": 4.0}, {"CPU": 64.0}]
    assert size_that_fits(placement, nodes) == 4


def test_a_fixed_group_is_started_at_once_and_waits_for_its_place() -> None:
    sizes = Cluster().sizes(Placement(workers=4, threads=1))
    assert not sizes.is_elastic
    sizes.note_change()
    assert sizes.next_group(alone=False) == Placement(workers=4, threads=1)


def test_an_elastic_group_begins_with_what_there_is_once_numbers_have_settled() -> None:
    cluster = Cluster(10)
    sizes = cluster.sizes()
    first = sizes.next_group(alone=True)
    assert first is not None
    assert (first.workers, first.sizes) == (4, (4,))
    sizes.note_change()
    assert sizes.next_group(alone=False) is None
    cluster.now += SETTLE_S
    cluster.nodes = [{"CPU": 3.0}]
    assert sizes.next_group(alone=False) is None  # no room beside the first
    assert sizes.next_group(alone=True) == ELASTIC.model_copy(update={"least": None})  # asks for all of its machines


def test_a_trial_waits_again_when_its_group_is_to_grow_and_goes_on_where_it_was() -> None:
    async def scene() -> None:
        broker = Broker(1, {"a": "one"}, False)
        await broker.begin()
        await broker.enqueue(slot("a", 0))
        assert await broker.cohort("small") == ["job of a"]
        reader = asyncio.create_task(broker.take("a", "lease_id", 60.0))
        await broker.put("small", "a", FIRST)
        assert (await reader).record == FIRST
        await broker.regroup("small")
        goes_on = asyncio.create_task(broker.active_trials("small", ["a"]))
        await asyncio.sleep(0)
        assert not goes_on.done()  # the scheduler has not judged the epoch
        reader = asyncio.create_task(broker.take("a", "lease_id", 60.0))
        assert await goes_on == []
        await broker.end("small")
        assert await broker.cohort("small") == []  # this host is over
        assert not reader.done()  # the trial's reader hears nothing of it
        assert (await broker.demand()).useful == 1
        assert await broker.cohort("large") == ["job of a"]
        await broker.put("large", "a", FIRST)  # replayed from the disk
        await broker.put("large", "a", SECOND)
        assert (await reader).record == SECOND

    play(scene())


SECOND = type(FIRST)(2, 2, {}, final=True)


def test_a_wait_names_all_sizes() -> None:
    assert wanted(ELASTIC) == "2 or 4 or 8 workers with 2 CPUs each"
