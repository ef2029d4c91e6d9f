"""A worker that hears that its machine will be taken away asks the trials it trains, each once, to go on elsewhere."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainers import worker
from trainers.schema.stop import clear_move, must_move
from trainers.worker import leaves_soon, notice

PATIENCE_S = 60.0


class Machine:
    """Stand for Ray's answer, and count how often it was asked for."""

    def __init__(self) -> None:
        self.leaves, self._looks, self._changed = False, 0, threading.Condition()

    def ask(self) -> bool:
        with self._changed:
            self._looks += 1
            self._changed.notify_all()
        return self.leaves

    def wait_for_whole_look(self) -> None:
        """Wait until a look that began after this call is over: the one after it has begun."""
        with self._changed:
            wanted = self._looks + 2
            assert self._changed.wait_for(lambda: self._looks >= wanted, PATIENCE_S)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    found = Machine()
    monkeypatch.setattr(worker, "leaves", found.ask)
    monkeypatch.setattr(worker, "LOOK_EVERY_S", 0.001)
    yield found
    assert "notice" not in {thread.name for thread in threading.enumerate()}


def folders(root: Path, *names: str) -> list[str]:
    for name in names:
        (root / name).mkdir()
    return [str(root / name) for name in names]


def test_without_a_notice_nobody_moves(machine: Machine, tmp_path: Path) -> None:
    (directory,) = folders(tmp_path, "a")
    told: list[bool] = []
    with notice([directory], lambda: told.append(True)):
        machine.wait_for_whole_look()
    assert (must_move(directory), told) == (False, [])


def test_each_trial_is_asked_once_and_so_are_those_that_come_later(machine: Machine, tmp_path: Path) -> None:
    first, second, third = folders(tmp_path, "a", "b", "c")
    directories, moved_when_told = [first, second], []
    machine.leaves = True
    with notice(directories, lambda: moved_when_told.append(must_move(first))):
        machine.wait_for_whole_look()
        assert [must_move(name) for name in (first, second, third)] == [True, True, False]
        clear_move(first)  # it has begun elsewhere
        directories[:] = [first, third]
        machine.wait_for_whole_look()
        assert [must_move(name) for name in (first, second, third)] == [False, True, True]
    assert moved_when_told[0] is False, "nobody is asked before the trainer is told"


def test_a_notice_in_the_middle_is_heard(machine: Machine, tmp_path: Path) -> None:
    (directory,) = folders(tmp_path, "a")
    with notice([directory]):
        machine.wait_for_whole_look()
        assert not must_move(directory)
        machine.leaves = True
        machine.wait_for_whole_look()
        assert must_move(directory)


def test_a_block_that_fails_ends_the_watch(machine: Machine) -> None:
    with pytest.raises(MemoryError), notice([]):
        raise MemoryError


@pytest.mark.parametrize("answer", [True, False])
def test_a_cluster_that_does_not_answer_has_given_no_notice(answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "leaves", lambda: answer)
    assert leaves_soon() is answer

    def fail() -> bool:
        raise ConnectionError("its head is gone")

    monkeypatch.setattr(worker, "leaves", fail)
    assert leaves_soon() is False
