"""Ray's own processes die beneath a run: the command says so and ends, where Ray would wait for a minute."""

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


@pytest.mark.smoke
def test_the_loss_of_rays_head_is_one_sentence_and_leaves_nothing(command: Command) -> None:
    command.start()
    family = Family()
    family.add(command.pid)
    while not committed(command.store):
        assert command.code is None, command.said
        time.sleep(0.05)
    victims = pick(HEAD, command.pid, family, Random(0))
    kill(victims)
    giving_up = time.monotonic() + SOON_S
    while command.code is None:
        assert time.monotonic() < giving_up, command.said
        time.sleep(0.05)
    assert command.code == 1
    assert "Traceback" not in command.said
    [sentence] = [line for line in command.said.splitlines() if line.startswith("stillhouse:")]
    assert "gcs_server" in sentence
    assert family.left() == []
