"""What runs that are no more have left is found and removed; what is in use or somebody else's is not."""

import fcntl
import os
from pathlib import Path

import pytest

import orchestrator.core.processes as machine
from orchestrator.core.processes import descendants, process, processes, this_process, variable
from orchestrator.core.store import Store
from orchestrator.execution.leaks import clean, find_leaks
from orchestrator.execution.ownership import marked


def pretend(folder: Path, pid: int, parent: int, started: int, **variables: str) -> None:
    """Write what /proc would say of a process."""
    place = folder / str(pid)
    place.mkdir()
    (place / "stat").write_text(f"{pid} (a) name) S {parent} " + "0 " * 17 + f"{started} 0 0")
    (place / "cmdline").write_bytes(b"python\0-m\0thing\0")
    (place / "environ").write_bytes(b"".join(f"{key}={value}\0".encode() for key, value in variables.items()))


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "meminfo").touch()
    monkeypatch.setattr(machine, "PROC", folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.prepare()
    (store.trial_dir("abc")).mkdir(parents=True)
    return store


def test_a_process_whose_driver_has_ended_is_a_leak(proc: Path, store: Store) -> None:
    pretend(proc, 100, 1, 5)
    pretend(proc, 101, 100, 6, STILLHOUSE_DRIVER="100@5")  # its driver lives
    pretend(proc, 102, 1, 7, STILLHOUSE_DRIVER="99@1")  # no such process
    pretend(proc, 103, 1, 8, STILLHOUSE_DRIVER="100@4")  # the number is used again by another process
    pretend(proc, 104, 1, 9)  # somebody else's
    pretend(proc, 105, 1, 9, STILLHOUSE_DRIVER="105@9")  # a driver that names itself
    assert {leak.process.pid for leak in find_leaks(store) if leak.process} == {102, 103}


def test_processes_of_a_container_are_no_leaks(proc: Path, store: Store) -> None:
    """There a driver has another number than here, where nothing has it."""
    pretend(proc, os.getpid(), 1, 5)
    for pid in (102, 103):
        pretend(proc, pid, 1, 7, STILLHOUSE_DRIVER="99@1")
    for pid, numbering in ((os.getpid(), 1), (102, 1), (103, 2)):
        (proc / str(pid) / "ns").mkdir()
        (proc / str(pid) / "ns" / "pid").symlink_to(f"pid:[{numbering}]")
    assert {leak.process.pid for leak in find_leaks(store) if leak.process} == {102}
    assert [found.pid for found in marked("99@1")] == [102]


def test_this_machine_can_be_read() -> None:
    own = this_process()
    assert own.pid == os.getpid()
    assert process(own.pid) == own
    assert own in list(processes())
    assert variable(own.parent, "no such variable") is None


def test_descendants_are_found_through_generations(proc: Path) -> None:
    for pid, parent in ((1, 0), (2, 1), (3, 2), (4, 3), (5, 1)):
        pretend(proc, pid, parent, 1)
    assert {one.pid for one in descendants(2)} == {3, 4}


def test_half_written_files_are_leaks_unless_a_run_uses_the_store(store: Store) -> None:
    partial, stop = store.trial_dir("abc") / ".resume.pt.partial", store.trial_dir("abc") / "stop"
    kept = store.trial_dir("abc") / "resume.pt"
    for path in (partial, stop, kept, store.root / "run.lock"):
        path.touch()
    found = {leak.path: leak.message for leak in find_leaks(store) if leak.path}
    assert found == {
        partial: f"file {partial} was left half-written by a run that ended early",
        stop: f"file {stop} asks for a stop in a run that has ended",
    }
    with (store.root / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert [leak for leak in find_leaks(store) if leak.path] == []
    clean([leak for leak in find_leaks(store) if leak.path])
    assert not partial.exists()
    assert not stop.exists()
    assert kept.exists()
