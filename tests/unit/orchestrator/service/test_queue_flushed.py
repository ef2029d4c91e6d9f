"""A transition is on the disk before anybody acts on it: the deletion of SQLite's journal, which commits it, is flushed."""

import ctypes
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_void_p
from pathlib import Path

import pytest

from orchestrator.service.queue import Queue
from orchestrator.submit.states import SubmissionState
from tests.unit.orchestrator.submit.job_requests import KEY, job_request

UNLINK, OPEN_FOLDER = CFUNCTYPE(c_int, c_char_p), CFUNCTYPE(c_int, c_char_p, POINTER(c_int))
SET, GET = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p), CFUNCTYPE(c_void_p, c_void_p, c_char_p)
BETWEEN = (
    "next",
    "name",
    "data",
    "open",
    "delete",
    "access",
    "full",
    "dl_open",
    "dl_error",
    "dl_sym",
    "dl_close",
    "random",
)
TIMES = ("sleep", "time", "error", "time_64")


class FileSystem(Structure):
    """Mirror SQLite's ``sqlite3_vfs``, version 3: how SQLite reaches files, and how its calls of the system are replaced."""

    _fields_ = [
        *((name, c_int) for name in ("version", "size", "longest")),
        *((name, c_void_p) for name in (*BETWEEN, *TIMES)),
        ("set_call", SET),
        ("get_call", GET),
    ]


def file_system() -> FileSystem:
    """Return that of the SQLite which this Python uses; skip where it is no library of its own."""
    assert sqlite3.sqlite_version
    found = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libsqlite3" in line}
    if not found:
        pytest.skip("SQLite is a part of this Python, and cannot be followed")
    library = ctypes.CDLL(found.pop())
    library.sqlite3_vfs_find.restype = POINTER(FileSystem)
    system: FileSystem = library.sqlite3_vfs_find(None).contents
    assert system.version >= 3
    return system


@contextmanager
def followed() -> Iterator[list[str]]:
    """Yield a list that grows by each file that SQLite deletes, and by each folder that it opens: it does so to flush it."""
    system, seen = file_system(), []
    unlink, open_folder = (
        kind(system.get_call(ctypes.addressof(system), name))
        for kind, name in ((UNLINK, b"unlink"), (OPEN_FOLDER, b"openDirectory"))
    )

    @UNLINK
    def noted_unlink(path: bytes) -> int:
        seen.append(f"delete {Path(path.decode()).name}")
        return int(unlink(path))

    @OPEN_FOLDER
    def noted_open(path: bytes, descriptor: "ctypes._Pointer[c_int]") -> int:
        seen.append("flush the folder")
        return int(open_folder(path, descriptor))

    for name, call in ((b"unlink", noted_unlink), (b"openDirectory", noted_open)):
        system.set_call(ctypes.addressof(system), name, ctypes.cast(call, c_void_p))
    try:
        yield seen
    finally:
        for name in (b"unlink", b"openDirectory"):
            system.set_call(ctypes.addressof(system), name, None)


def test_a_transition_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db", longest=2)
    with followed() as seen:
        queue.add(job_request())
        assert seen[-2:] == ["delete queue.db-journal", "flush the folder"]
        entry = queue.entry(KEY)
        assert entry is not None
        seen.clear()
        queue.move(entry, SubmissionState.SUBMITTED, "its turn")
        assert seen[-2:] == ["delete queue.db-journal", "flush the folder"]
