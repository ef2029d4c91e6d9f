"""A killed service's temporary files are found, and removed by `doctor --clean` and by the next service."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.execution.leaks import clean, find_leaks
from tests.contract.mlflow_server import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of temporary files, short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


@contextmanager
def service(store: Store) -> Iterator[subprocess.Popen[str]]:
    """Serve a queue until the end of the block; the cluster does not answer, so the queue waits."""
    command = [sys.executable, "-m", "orchestrator.cli", "serve", "--store", store.root, "--port", free_port()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STILLHOUSE_TOKEN": "x" * 16}
    with subprocess.Popen(
        [*map(str, command), "--address", "http://127.0.0.1:9"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert "listening" in process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def left(store: Store) -> list[str]:
    return [leak.scratch for leak in find_leaks(store) if leak.scratch]


def killed(store: Store, temporary: Path) -> Path:
    """Kill a service while it has a client's study among its temporary files; return its folder."""
    with service(store) as process:
        [folder] = temporary.glob("stillhouse-*")
        (folder / "stillhouse-upload").mkdir()
        (folder / "stillhouse-upload" / "study.yaml").touch()
        assert left(store) == [], "the service lives"
        process.kill()
    assert left(store) == [str(folder)]
    return folder


def test_doctor_finds_what_a_killed_service_left_and_cleans_it(tmp_path: Path, temporary: Path) -> None:
    store = Store(tmp_path / "store")
    folder = killed(store, temporary)
    clean([leak for leak in find_leaks(store) if leak.scratch])
    assert not folder.exists()
    assert left(store) == []


def test_the_next_service_removes_it_and_one_that_is_stopped_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    store = Store(tmp_path / "store")
    folder = killed(store, temporary)
    with service(store) as process:
        assert not folder.exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert list(temporary.iterdir()) == []
