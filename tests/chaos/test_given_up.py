"""A run of the list that hangs is given up: it says where, leaves nothing behind, and is a fault like any other."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import __main__ as runs
from tests.chaos.command import Command
from tests.chaos.disturb import Chaos
from tests.chaos.flavours import FLAVOURS

HANGS = """
import time

def where_it_hangs():
    time.sleep(1000)

where_it_hangs()
"""
FLAVOUR = FLAVOURS["one worker"]


class Hanging(Command):
    """Start a process that does nothing, in the place of the study."""

    def start(self) -> None:
        self.starts += 1
        (self._folder / f"stderr-{self.starts}").touch()
        self._process = subprocess.Popen([sys.executable, "-c", HANGS], start_new_session=True)

    @property
    def ended_with(self) -> int:
        assert self._process is not None
        return self._process.wait(30)


def test_a_run_that_hangs_is_given_up_and_says_where(tmp_path: Path) -> None:
    command = Hanging(FLAVOUR, tmp_path, tmp_path / "scratch")
    chaos = Chaos(command, FLAVOUR, 1, None, longest_s=2.0)
    with pytest.raises(AssertionError, match="the study has not ended"):
        chaos.run(1)
    assert command.ended_with == -9
    assert "where_it_hangs" in chaos.story.stacks or "ermission" in chaos.story.stacks
    assert (chaos.story.starts, chaos.story.seconds > 2.0) == (1, True)


def test_the_list_goes_on_after_a_run_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the server does not come up")

    monkeypatch.setattr(runs, "disturbed", fails)
    judged = runs.judge(runs.Run("one worker", 1, 1), tmp_path, {FLAVOUR.sets: tmp_path})
    [fault] = judged.faults
    assert "the server does not come up" in fault
