"""Ray's own processes die beneath a run: the command says so and ends, where Ray would wait for a minute."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.chaos.command import Command
from tests.chaos.family import Family, kill, pick
from tests.chaos.flavours import FLAVOURS, HEAD
from tests.chaos.moments import committed

SOON_S = 15.0


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp") as scratch:
        yield Command(FLAVOURS["one worker"], tmp_path, Path(scratch))


def begun(command: Command) -> Family:
    """Start the command, and return its processes once a trial has saved a state."""
    command.start()
    family = Family()
    family.add(command.pid)
    while not committed(command.store):
        assert command.code is None, command.said
        time.sleep(0.05)
    return family


@pytest.mark.smoke
def test_the_loss_of_rays_head_is_one_sentence_and_leaves_nothing(command: Command) -> None:
    family = begun(command)
    kill(pick(HEAD, command.pid, family, Random(0)))
    giving_up = time.monotonic() + SOON_S
    while command.code is None:
        assert time.monotonic() < giving_up, command.said
        time.sleep(0.05)
    assert command.code == 1
    assert "Traceback" not in command.said
    [sentence] = [line for line in command.said.splitlines() if line.startswith("stillhouse:")]
    assert "gcs_server" in sentence
    assert family.left() == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_command_that_is_killed_together_with_rays_head_is_continued_by_the_next(command: Command) -> None:
    """The raylet and what trains have lost both, and are still there when the command is given again."""
    family = begun(command)
    heads = pick(HEAD, command.pid, family, Random(0))
    os.kill(command.pid, signal.SIGKILL)
    kill(heads)
    command.start()
    family.add(command.pid)
    while command.code is None:
        family.add(command.pid)
        time.sleep(0.05)
    assert command.code == 0, command.said
    assert family.left() == []
