"""A run's folder of temporary files lies where sockets fit: in the usual place, else in /tmp."""

import os
import tempfile
from pathlib import Path

import pytest

from orchestrator.core.errors import UserError
from orchestrator.execution import scratch
from orchestrator.execution.scratch import LONGEST_BASE, own_scratch, remove_scratch

LONGEST_PATH = 107  # bytes of a socket's path under Linux


@pytest.fixture(autouse=True)
def no_ray_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)


def usual(monkeypatch: pytest.MonkeyPatch, folder: Path | str) -> None:
    """Make ``folder`` the one of temporary files."""
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)


def long(tmp_path: Path) -> Path:
    """Return a folder that is too long."""
    folder = tmp_path / ("x" * LONGEST_BASE)
    folder.mkdir(exist_ok=True)
    return folder


def test_a_short_folder_is_kept_for_ray_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        usual(monkeypatch, folder)
        with own_scratch() as own:
            assert own.parent == Path(folder)
            assert os.environ["RAY_TMPDIR"] == folder
        assert not own.exists()


def test_a_long_folder_gives_way_to_a_short_one_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usual(monkeypatch, long(tmp_path))
    with own_scratch() as own:
        assert own.parent == Path("/tmp")
        assert os.environ["RAY_TMPDIR"] == "/tmp"
    assert not own.exists()
    assert caplog.messages == [f"{long(tmp_path)} is too long for the paths of sockets: temporary files go to /tmp"]


def test_the_next_run_deletes_what_a_killed_one_left_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual(monkeypatch, long(tmp_path))
    left = Path(tempfile.mkdtemp(prefix=scratch.PREFIX, dir="/tmp"))
    remove_scratch(str(left))
    assert not left.exists()


def test_where_neither_serves_the_message_names_the_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual(monkeypatch, long(tmp_path))
    monkeypatch.setattr(scratch, "SHORT", "/nonexistent")
    with pytest.raises(UserError, match="set TMPDIR and RAY_TMPDIR to a folder of at most 39 bytes"), own_scratch():
        pass


def test_the_longest_folder_leaves_room_for_rays_longest_socket() -> None:
    folder = "/" + "x" * (LONGEST_BASE - 1)
    assert len(f"{folder}{scratch.SOCKET}") == LONGEST_PATH
