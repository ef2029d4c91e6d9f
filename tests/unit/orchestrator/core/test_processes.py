import os
import signal

import pytest

from orchestrator.core import processes
from orchestrator.core.processes import lives, of_identity, this_process


def test_this_process_lives():
    assert lives(this_process().identity)
    assert of_identity(this_process().identity) == this_process()


def test_an_identity_is_readable():
    pid, _, started = this_process().identity.partition("@")
    assert int(pid) == os.getpid()
    assert started.isdigit()


def test_another_process_with_the_same_number_is_another():
    assert not lives(f"{os.getpid()}@1")


@pytest.mark.parametrize("text", ["", "@", "driver", "x@1", "-1@1"])
def test_a_text_that_is_no_identity_lives_nowhere(text):
    assert of_identity(text) is None


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A /proc of our own: return a function that adds a process."""
    monkeypatch.setattr(processes, "PROC", tmp_path)

    def add(pid, parent, command=b"python\0-m\0x\0", name="py) th (on", state="S", started=7, environ=b""):
        (tmp_path / str(pid)).mkdir()
        fields = [state, str(parent), *["0"] * 17, str(started)]
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}")
        (tmp_path / str(pid) / "cmdline").write_bytes(command)
        (tmp_path / str(pid) / "environ").write_bytes(environ)

    (tmp_path / "self").mkdir()
    return add


def test_a_process_is_read_whatever_its_name_and_titled_by_its_command_line(proc):
    proc(11, 1)
    proc(12, 11, command=b"")
    assert processes.process(11) == processes.Process(11, 1, 7, "python -m x")
    assert processes.process(12).title == "py) th (on"
    assert processes.process(11).identity == "11@7"
    assert processes.process(13) is None


@pytest.mark.parametrize("state", ["Z", "X"])
def test_the_dead_are_no_processes(state, proc):
    proc(11, 1, state=state)
    proc(12, 1)
    assert [one.pid for one in processes.processes()] == [12]
    assert not processes.lives("11@7")


def test_descendants_are_all_that_a_process_started_and_they_did(proc):
    for pid, parent in ((2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (9, 4)):
        proc(pid, parent)
    assert sorted(one.pid for one in processes.descendants(2)) == [3, 4, 9]
    assert processes.descendants(9) == []


def test_only_the_very_process_is_killed(proc, monkeypatch):
    killed = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    proc(11, 1)
    for identity in ("11@8", "12@7", "x", "11"):
        processes.end(identity)
    assert killed == []
    processes.end("11@7")
    assert killed == [(11, signal.SIGKILL)]


def test_a_variable_is_that_of_the_whole_name(proc):
    proc(11, 1, environ=b"AB=1\0B=two=2\0C=\0")
    assert [processes.variable(11, name) for name in ("AB", "B", "C", "A")] == ["1", "two=2", "", None]
    assert processes.variable(12, "B") is None
