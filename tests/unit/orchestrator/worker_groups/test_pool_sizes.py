"""A pool lets its elastic groups follow the room: by what is asked of Ray and of the broker, without either."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.worker_groups import pool as module
from orchestrator.worker_groups.broker import Demand
from orchestrator.worker_groups.elastic import SETTLE_S, GroupSizes
from orchestrator.worker_groups.pool import Pool, Terms
from trainers.schema import Placement

PLACEMENT = Placement(workers=4, least=1, threads=1)


class World:
    """Stand for the cluster, the broker, the hosts and the clock of one pool."""

    def __init__(self) -> None:
        self.now, self.free, self.useful = 100.0, 0, 1
        self.up: set[str] = set()
        self.begun = True
        self.regrouped: list[str] = []
        self.hosts: list[Any] = []
        self.reserves: list[Any] = []

    def broker(self, *arguments: object, **options: object) -> Any:
        asked = {
            "demand": lambda: Demand(self.useful, frozenset(self.up), self.begun),
            "begin": lambda: setattr(self, "begun", True),
            "dismiss": lambda host: host not in self.up,
            "regroup": self.regrouped.append,
            "forget": lambda host: {},
        }
        return SimpleNamespace(**{name: SimpleNamespace(remote=act) for name, act in asked.items()})

    def host(self, name: str, broker: Any, placement: Placement, loop: str, folder: str) -> Any:
        host = SimpleNamespace(name=name, size=placement.workers, done=object(), placed=False, released=False)
        host.has_room = lambda: host.placed
        host.failure = lambda: None
        host.release = lambda: setattr(host, "released", True)
        self.hosts.append(host)
        return host

    def reserve(self, placement: Placement, size: int) -> Any:
        found = SimpleNamespace(size=size, there=False, released=False)
        found.is_there = lambda: found.there
        found.release = lambda: setattr(found, "released", True)
        self.reserves.append(found)
        return found

    @property
    def present(self) -> list[Any]:
        return [host for host in self.hosts if not host.released]

    @property
    def sizes(self) -> list[int]:
        return [host.size for host in self.present]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    ended: list[object] = []
    ray = SimpleNamespace(get=lambda answer: answer, wait=lambda hosts, timeout: (ended, []), kill=lambda actor: None)
    found.ended = ended  # type: ignore[attr-defined]
    sizes = lambda placement: GroupSizes(placement, lambda: [{"CPU": float(found.free)}], lambda: found.now)  # noqa: E731
    for name, stand_in in (
        ("ray", ray), ("start", found.broker), ("Started", found.host), ("Reserve", found.reserve), ("GroupSizes", sizes),
        ("time", SimpleNamespace(monotonic=lambda: found.now)),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, stand_in)
    return found


@pytest.fixture
def pool(world: World, tmp_path: Path) -> Pool:
    found = Pool(Terms(2, 1, room=lambda: 2), PLACEMENT, {"a": "one"}, tmp_path)
    found._watch_room = lambda demand: None  # type: ignore[method-assign]  # it logs, and asks the autoscaler
    return found


def look(pool: Pool, world: World, after: float = SETTLE_S) -> None:
    world.now += after
    pool._look()


def test_a_group_begins_with_what_there_is_and_waits_with_a_request_for_all(pool: Pool, world: World) -> None:
    look(pool, world)
    assert world.sizes == [4]
    world.free = 3
    look(pool, world)
    look(pool, world)
    assert world.sizes == [2]
    assert world.hosts[0].released


def test_a_group_that_is_coming_up_is_left_alone(pool: Pool, world: World) -> None:
    world.free = 2
    look(pool, world)
    world.hosts[0].placed, world.free = True, 1
    look(pool, world)
    assert world.hosts == world.present


def test_a_group_that_lacks_workers_reserves_room_and_is_regrouped_once_it_is_there(pool: Pool, world: World) -> None:
    world.free = 2
    look(pool, world)
    [host] = world.hosts
    host.placed, world.free = True, 0
    world.up = {host.name}
    look(pool, world)
    [reserve] = world.reserves
    assert (reserve.size, world.regrouped) == (2, [])
    reserve.there = True
    look(pool, world)
    assert world.regrouped == [host.name]
    world.ended.append(host.done)  # type: ignore[attr-defined]
    world.free = 4
    look(pool, world, after=0.0)
    assert (reserve.released, world.present) == (True, [])
    look(pool, world)
    assert world.sizes == [4]


def test_a_new_group_comes_before_a_larger_one(pool: Pool, world: World) -> None:
    world.free = 2
    look(pool, world)
    [host] = world.hosts
    host.placed, world.free, world.up = True, 0, {host.name}
    look(pool, world)
    world.useful = 2
    look(pool, world)
    assert [reserve.released for reserve in world.reserves] == [True]
    world.free = 1
    look(pool, world)
    assert world.sizes == [2, 1]


def test_a_group_with_all_its_workers_reserves_nothing(pool: Pool, world: World) -> None:
    world.free = 8
    look(pool, world)
    world.hosts[0].placed, world.up = True, {world.hosts[0].name}
    look(pool, world)
    assert world.reserves == []


def test_hosts_of_a_broker_that_was_killed_are_ended_before_the_new_one_begins(pool: Pool, world: World) -> None:
    world.free, world.useful = 4, 2
    world.now += 2 * SETTLE_S
    pool._look()
    before = world.present
    assert before
    world.begun = False
    pool._look()
    assert all(host.released for host in before)
    assert world.begun
