"""A lock of ours keeps other processes out, those of earlier releases too, and ends with its process."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.core.locks import held_alone

HOLD = """
import sys, time
from pathlib import Path
from orchestrator.core.locks import held_alone

with held_alone(Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_process_leaves_the_lock_free(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(OperationError, match=r"^taken$"), held_alone(lock, "taken"):
            pass
        process.kill()
    with held_alone(lock, "taken"):
        assert lock.exists()


def test_locks_of_earlier_releases_and_ours_exclude_each_other(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(OperationError, match=r"^taken$"), held_alone(lock, "taken"):
            pass
    with held_alone(lock, "taken"), lock.open("r") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_the_lock_is_free_after_the_block_and_errors_pass(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    with pytest.raises(ValueError, match="own"), held_alone(lock, "taken"):
        raise ValueError("own")
    with held_alone(lock, "taken"), pytest.raises(OperationError), held_alone(lock, "taken"):
        pass
