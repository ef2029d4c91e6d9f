"""What a process may lack is supplied or named: a home, a user's name, a working directory, standard streams."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.core.errors import UserError
from orchestrator.core.home import require_home
from orchestrator.core.standard_streams import require_streams
from orchestrator.core.working_directory import require_working_directory


def unknown(error: type[Exception]):
    def fail(*_: object) -> None:
        raise error("no such user")

    return fail


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whom the system does not know, and a folder for temporary files."""
    monkeypatch.setattr(Path, "home", unknown(RuntimeError))
    monkeypatch.setattr("getpass.getuser", unknown(KeyError))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("HOME", "LOGNAME"):
        monkeypatch.setenv(name, "before")
    return tmp_path


def test_a_user_without_a_home_gets_one_of_their_own_the_same_each_time_and_a_name(homeless, caplog):
    for _ in range(2):
        require_home()
        assert os.environ["HOME"] == str(homeless / f"stillhouse-home-{os.getuid()}")
    assert os.environ["LOGNAME"] == f"user-{os.getuid()}"
    assert Path(os.environ["HOME"]).stat().st_mode & 0o077 == 0
    assert "HOME names another one" in caplog.text


@pytest.mark.parametrize("planted", ["link", "strangers"])
def test_a_home_that_somebody_else_has_planted_is_not_taken(planted, homeless, monkeypatch, tmp_path_factory):
    stranger = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: stranger)
    place = homeless / f"stillhouse-home-{stranger}"
    if planted == "link":
        place.symlink_to(tmp_path_factory.mktemp("other"))
    else:
        place.mkdir()
    require_home()
    found = Path(os.environ["HOME"])
    assert found.name.startswith(f"stillhouse-home-{os.getuid()}")
    assert found.name != f"stillhouse-home-{os.getuid()}"
    assert found.is_dir()


def test_a_home_and_a_name_that_the_system_knows_stay(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("LOGNAME", "me")
    require_home()
    assert (os.environ["HOME"], os.environ["LOGNAME"]) == ("/somewhere", "me")


def test_a_deleted_working_directory_is_told(tmp_path, monkeypatch):
    require_working_directory()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UserError, match="the working directory has been deleted: change to another one"):
        require_working_directory()


def test_streams_that_are_closed_lead_nowhere_and_open_ones_stay(monkeypatch):
    opened: list[tuple[str, int]] = []

    def fstat(descriptor: int) -> None:
        if descriptor == 1:
            raise OSError(9, "Bad file descriptor")

    before = sys.stderr
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", None)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fstat)
        patch.setattr(os, "open", lambda path, flags: opened.append((path, flags)))
        patch.setattr("builtins.open", lambda path, mode, encoding: (path, mode))
        require_streams()
    assert opened == [(os.devnull, os.O_RDWR)]
    assert (sys.stdin, sys.stdout) == ((os.devnull, "r"), (os.devnull, "w"))
    assert sys.stderr is before
