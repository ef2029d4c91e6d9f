"""Kill processes of a study at random: it ends as if nothing had happened. The full list is ``make chaos``."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.disturb import undisturbed
from tests.chaos.flavours import FLAVOURS
from tests.chaos.judge import disturbed


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary files with a short name: Ray's sockets are below it."""
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp") as folder:
        yield Path(folder)


def test_three_kills_change_nothing(tmp_path: Path, scratch: Path) -> None:
    flavour = FLAVOURS["one worker"]
    expected = undisturbed(flavour, tmp_path / "calm", scratch / "calm")
    judged = disturbed(flavour, 1, 3, tmp_path / "disturbed", scratch / "disturbed", expected)
    assert len(judged.story.kills) == 3
    assert judged.faults == [], judged.story
