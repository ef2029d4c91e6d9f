"""Ctrl-C on a real driver: once, trials keep their state and nothing stays behind; twice, it is over at once."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.processes import descendants
from tests.ray.release_times import ROOT, await_end, await_epoch
from trainers.schema.record import read_history, read_status
from trainers.schema.stop import STOP


@pytest.fixture
def driver(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a sweep of two trials, one after the other, and wait until the first is in its second epoch."""
    command = [sys.executable, "-m", "tests.ray.interrupted", str(tmp_path), "1"]
    started = subprocess.Popen(command, start_new_session=True, cwd=ROOT)
    await_epoch(tmp_path, 1, started)
    yield started
    started.kill()
    started.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_lets_trials_save_their_state(
    driver: "subprocess.Popen[bytes]", number: signal.Signals, tmp_path: Path
) -> None:
    family = {process.identity for process in descendants(driver.pid)}
    driver.send_signal(number)
    assert driver.wait(timeout=30) == 130
    await_end(family)
    trials = sorted((tmp_path / "store" / "trials").iterdir(), key=lambda path: len(read_history(path)))
    assert [read_status(path) for path in trials] == ["new", "unfinished"]
    assert not [path for path in trials if (path / STOP).exists()]


def test_two_signals_end_it_at_once(driver: "subprocess.Popen[bytes]") -> None:
    family = {process.identity for process in descendants(driver.pid)}
    driver.send_signal(signal.SIGINT)
    driver.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert driver.wait(timeout=30) == 130
    assert await_end(family) - began < 10
