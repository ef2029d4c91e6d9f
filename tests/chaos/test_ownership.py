"""A run ends what a killed run of the same store has left, and nothing else."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.core.processes import process, this_process
from orchestrator.core.ray_environment import DRIVER
from orchestrator.core.store import Store
from orchestrator.execution.ownership import NOTE, single_writer_lock
from orchestrator.execution.scratch import PREFIX

WAIT = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]


class Marked:
    """Start processes that carry drivers' marks, and end them with the test."""

    def __init__(self, ending: ExitStack) -> None:
        self._ending = ending

    def start(self, driver: str) -> subprocess.Popen[bytes]:
        started = subprocess.Popen(WAIT, env={**os.environ, DRIVER: driver}, stdout=subprocess.PIPE)
        self._ending.callback(started.wait)
        self._ending.callback(started.kill)
        assert started.stdout is not None
        self._ending.callback(started.stdout.close)
        started.stdout.readline()  # it runs, with its own environment
        return started


@pytest.fixture
def marked() -> Iterator[Marked]:
    with ExitStack() as ending:
        yield Marked(ending)


def runs(started: "subprocess.Popen[bytes]") -> bool:
    return process(started.pid) is not None


def test_what_a_killed_run_of_the_store_has_left_is_ended(marked: Marked, tmp_path: Path) -> None:
    gone, other = "999999999@1", "999999998@1"
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX))
    (tmp_path / NOTE).write_text(f"{gone}\n{scratch}\n")
    orphan, stranger = marked.start(gone), marked.start(other)
    with single_writer_lock(Store(tmp_path)):
        assert not runs(orphan)
        assert runs(stranger)  # of another store
        assert not scratch.exists()


def test_what_is_started_after_a_run_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook goes on after its study, and starts servers that outlive it."""
    monkeypatch.setenv(DRIVER, this_process().identity)
    with single_writer_lock(Store(tmp_path)):
        assert DRIVER in os.environ
    assert DRIVER not in os.environ


def test_a_note_cannot_make_a_run_delete_other_folders(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (tmp_path / NOTE).write_text(f"999999999@1\n{folder}\n")
    with single_writer_lock(Store(tmp_path)):
        assert folder.exists()


def test_a_driver_that_lives_keeps_its_processes(marked: Marked, tmp_path: Path) -> None:
    driver = marked.start("999999999@1")
    found = process(driver.pid)
    assert found is not None
    (tmp_path / NOTE).write_text(found.identity)
    child = marked.start(found.identity)
    with single_writer_lock(Store(tmp_path)):
        assert runs(child)


def test_a_run_ends_what_it_has_started_and_no_note_remains(marked: Marked, tmp_path: Path) -> None:
    own = this_process().identity
    before = marked.start(own)
    with single_writer_lock(Store(tmp_path)):
        assert (tmp_path / NOTE).read_text().splitlines()[0] == own
        scratch = Path(tempfile.mkdtemp())
        during = marked.start(own)
    assert runs(before)
    assert not runs(during)
    assert list(tmp_path.iterdir()) == []
    assert not scratch.exists()
