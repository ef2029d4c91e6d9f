"""A host asks Ray for what it needs, tells how it ended, and gives back all that it has started."""

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayActorError

from orchestrator.worker_groups import host as module
from orchestrator.worker_groups.broker import ON_HEAD
from orchestrator.worker_groups.host import Started
from trainers.schema import Placement

ALONE = Placement(workers=1, threads=3)
GROUP = Placement(workers=2, threads=3)


class World:
    """Stand for Ray, the broker and what is ended: note what is asked of them."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.made: tuple[Any, ...] = ()
        self.ended: list[Any] = []
        self.held: Any = {}
        self.ends_with: BaseException | None = None
        self.ready = False
        self.actor = SimpleNamespace(
            __ray_ready__=SimpleNamespace(remote=lambda: "ready"), serve=SimpleNamespace(remote=lambda: "served")
        )
        self.broker = SimpleNamespace(forget=SimpleNamespace(remote=lambda name: ("held by", name)))

    def with_options(self, **options: Any) -> Any:
        self.options = options
        return SimpleNamespace(remote=self.make)

    def make(self, *given: Any) -> Any:
        self.made = given
        return self.actor

    def get(self, asked: Any) -> Any:
        if asked == "served":
            if self.ends_with is not None:
                raise self.ends_with
            return None
        assert asked == ("held by", "host")
        if isinstance(self.held, BaseException):
            raise self.held
        return self.held


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    ray = SimpleNamespace(
        get=found.get,
        kill=lambda actor: found.ended.append("actor" if actor is found.actor else actor),
        wait=lambda asked, timeout: (asked if found.ready else [], []),
    )
    monkeypatch.setattr(module, "ray", ray)
    monkeypatch.setattr(module, "Host", SimpleNamespace(options=found.with_options))
    monkeypatch.setattr(module, "end", lambda identity: found.ended.append(f"process {identity}"))
    monkeypatch.setattr(module, "remove_placement_group", lambda group: found.ended.append(f"group {group}"))
    monkeypatch.setattr(module, "free_places", lambda name: found.ended.append(f"places of {name}"))
    monkeypatch.setattr(module, "has_places", lambda name: found.ready)
    return found


def started(world: World, placement: Placement) -> Started:
    return Started("host", world.broker, placement, "loop", "/folder")


@pytest.mark.parametrize(
    ("placement", "options"),
    [
        (ALONE, {"num_cpus": 3, "num_gpus": 0, "resources": None}),
        (
            ALONE.model_copy(update={"cuda": True, "gpus": 0.5}),
            {"num_cpus": 3, "num_gpus": 0.5, "resources": None},
        ),
        (GROUP, {"num_cpus": 0, "num_gpus": 0, "resources": ON_HEAD}),
        (GROUP.model_copy(update={"cuda": True}), {"num_cpus": 0, "num_gpus": 0, "resources": ON_HEAD}),
    ],
)
def test_one_process_has_what_it_trains_with_and_a_groups_director_nothing(
    placement: Placement, options: dict[str, Any], world: World
) -> None:
    host = started(world, placement)
    assert world.options == options
    assert world.made == ({"broker": world.broker, "host": "host", "loop": "loop"}, placement, "/folder")
    assert (host.name, host.size, host.done) == ("host", placement.workers, "served")


@pytest.mark.parametrize("placement", [ALONE, GROUP])
@pytest.mark.parametrize("ready", [True, False])
def test_room_is_there_once_ray_has_given_it(placement: Placement, ready: bool, world: World) -> None:
    world.ready = ready
    assert started(world, placement).has_room() is ready


def test_a_host_that_has_served_has_no_failure_and_another_has_its_error(world: World) -> None:
    host = started(world, ALONE)
    assert host.failure() is None
    world.ends_with = RayActorError()
    assert host.failure() is world.ends_with


@pytest.mark.parametrize(
    ("held", "ended"),
    [
        ({}, []),
        ({"placement_group": None}, []),
        ({"placement_group": "pg"}, ["group pg"]),
        ({"placement_group": "pg", "controller": ("controller", "7@1")}, ["group pg", "controller", "process 7@1"]),
        (RayActorError(), []),  # the broker is gone, and remembers nothing
    ],
    ids=["nothing", "no group", "a group", "a group and its controller", "no broker"],
)
@pytest.mark.parametrize(("placement", "last"), [(ALONE, ["actor"]), (GROUP, ["actor", "places of host"])])
def test_all_that_a_host_has_started_ends_with_it(
    placement: Placement, last: list[str], held: Any, ended: list[str], world: World
) -> None:
    world.held = held
    started(world, placement).release()
    assert world.ended == [*ended, *last]
