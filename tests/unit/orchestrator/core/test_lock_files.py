"""A lock is held alone or together; a file system without locks is told from a lock that somebody has."""

import errno
import fcntl
from pathlib import Path

import pytest

from orchestrator.core import locks
from orchestrator.core.errors import OperationError
from orchestrator.core.locks import LOCKLESS, NoFileLocks, held_alone, held_shared, is_held


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PROBE_S", -1.0)


def test_a_lock_that_is_held_alone_lets_nobody_in(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    with held_alone(path, "taken"):
        assert is_held(path)
        with pytest.raises(OperationError, match=r"^taken$"), held_shared(path, "taken"):
            pytest.fail("two hold it")
    assert not is_held(path)


def test_a_lock_that_is_shared_lets_others_share_it_and_nobody_have_it_alone(tmp_path):
    path = tmp_path / "lock"
    with held_shared(path, "taken"), held_shared(path, "taken"):
        assert is_held(path)
        with pytest.raises(OperationError, match=r"^taken$"), held_alone(path, "taken"):
            pytest.fail("three hold it")
    with held_alone(path, "taken"):
        pass


@pytest.mark.parametrize("code", sorted(LOCKLESS))
def test_a_file_system_without_locks_is_told_as_such(code, tmp_path, monkeypatch):
    path = tmp_path / "lock"
    path.touch()
    monkeypatch.setattr(fcntl, "flock", lambda *_: failing(code))
    for act in (
        lambda: held_shared(path, "taken").__enter__(),
        lambda: is_held(path),
        lambda: held_alone(path, "taken").__enter__(),
    ):
        with pytest.raises(NoFileLocks, match=rf"{tmp_path} lies on a file system without file locks"):
            act()


def test_any_other_error_stays_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    path.touch()
    monkeypatch.setattr(fcntl, "flock", lambda *_: failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        is_held(path)
    with pytest.raises(OSError, match="Input/output error"), held_shared(path, "taken"):
        pass


def test_of_a_lock_that_may_only_be_read_a_holder_alone_is_seen(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    with held_alone(path, "taken"):
        read_only(monkeypatch)
        assert is_held(path)
    assert not is_held(path)


def failing(code: int) -> None:
    raise OSError(code, {errno.EIO: "Input/output error"}.get(code, "Function not implemented"))


def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be opened for writing, as for another user."""
    real = Path.open

    def opened(path: Path, mode: str = "r", *rest: object):
        if "+" in mode:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, mode, *rest)

    monkeypatch.setattr(Path, "open", opened)
