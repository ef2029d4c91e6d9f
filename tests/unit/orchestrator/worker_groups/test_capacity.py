"""How long work without room waits, and what is said meanwhile."""

import logging

import pytest

from orchestrator.worker_groups import capacity
from orchestrator.worker_groups.capacity import RoomWait, wanted
from trainers.schema import Placement

PLACEMENT = Placement(workers=1, threads=4, start_timeout_s=100.0)


class Scene:
    """A cluster whose clock and autoscaler are set by hand."""

    def __init__(self) -> None:
        self.now, self.coming = 0.0, False
        self.wait = RoomWait(PLACEMENT, lambda: self.coming, lambda: self.now)

    def look(self, now: float, *, waiting: bool = True) -> bool:
        self.now = now
        return self.wait.look(waiting=waiting)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(capacity, "what_there_is", lambda: "free: nothing")
    monkeypatch.setattr(capacity, "is_free", lambda placement: False)
    return Scene()


def test_work_with_room_never_waits(scene: Scene) -> None:
    assert not any(scene.look(now, waiting=False) for now in range(0, 1000, 10))


def test_a_wait_for_nothing_ends_after_its_patience(scene: Scene) -> None:
    assert [scene.look(now) for now in (1.0, 99.0, 101.0)] == [False, False, True]


def test_a_wait_has_no_end_while_a_machine_is_being_started(scene: Scene) -> None:
    scene.coming = True
    assert not any(scene.look(now) for now in range(0, 1000, 2))
    scene.coming = False
    last = 998.0
    assert [scene.look(last + 99.0), scene.look(last + 101.0)] == [False, True]


def test_room_in_between_begins_the_wait_anew(scene: Scene) -> None:
    scene.look(90.0)
    scene.look(95.0, waiting=False)
    assert [scene.look(now) for now in (100.0, 190.0, 196.0)] == [False, False, True]


def test_the_wait_is_said_after_some_seconds_and_then_every_minute(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for now in range(0, 80, 2):
            scene.look(float(now))
        scene.look(80.0, waiting=False)
    assert caplog.messages == [
        "waiting for a machine with 4 CPUs since 10 s; free: nothing; nothing is coming, so this ends in 2 min",
        "waiting for a machine with 4 CPUs since 1 min; free: nothing; nothing is coming, so this ends in 30 s",
        "there is room after 1 min",
    ]


def test_a_process_that_starts_slowly_in_its_place_is_no_wait_for_room(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "is_free", lambda placement: True)
    with caplog.at_level(logging.INFO):
        for now in range(0, 80, 2):
            scene.look(float(now))
        scene.look(80.0, waiting=False)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("free", "fits"),
    [({"CPU": 8.0, "GPU": 2.0}, True), ({"CPU": 7.0, "GPU": 2.0}, False), ({"CPU": 8.0}, False), ({}, False)],
)
def test_what_is_free_is_compared_with_what_all_workers_want(
    monkeypatch: pytest.MonkeyPatch, free: dict[str, float], fits: bool
) -> None:
    monkeypatch.setattr("ray.available_resources", lambda: free)
    assert capacity.is_free(Placement(workers=2, threads=4, cuda=True)) is fits


def test_what_is_wanted_is_said_for_one_worker_and_for_several() -> None:
    assert wanted(Placement(workers=1, threads=1)) == "a machine with 1 CPU"
    assert wanted(Placement(workers=2, threads=8, cuda=True)) == "2 workers with 8 CPUs and 1 GPU each"
