"""A study whose disk is small or slow, or whose clock jumps: it ends as if nothing had been, or says so and goes on later."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.command import Command
from tests.chaos.comparison import store_differences, tracking_differences
from tests.chaos.disturb import undisturbed
from tests.chaos.flavours import FLAVOURS, STUDY
from tests.chaos.moments import records
from tests.contract.full_disk import on_small_disk
from tests.e2e.stillhouse import ROOT
from trainers.schema.atomic import write_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

FLAVOUR = FLAVOURS["one worker"]
FLUSH_S = 0.3
SLOW = f"""
import os, time
flush = os.fsync
def slow(file):
    time.sleep({FLUSH_S})
    flush(file)
os.fsync = slow
"""
SMALL_DISK = """
set +e
stillhouse "$@" > {folder}/first 2> {folder}/said; echo $? > {folder}/code
mount -o remount,size=500m '{disk}'
stillhouse "$@" > {folder}/second; code=$?
cp -a '{disk}' {folder}/out
exit $code
"""
# The clock of every Python process of the run. libfaketime would move it for Ray's C++, too, but breaks Python's sleep.
MOVED = """
import os, time
def moved(clock, unit):
    def told():
        with open(os.environ["CHAOS_CLOCK"]) as file:
            return clock() + int(file.read() or 0) * unit
    return told
time.time, time.time_ns = moved(time.time, 1), moved(time.time_ns, 10**9)
"""
JUMPS_S = (7200, -7200, 0)  # against the machine's time


@pytest.fixture
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="grey-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of an undisturbed run."""
    with tempfile.TemporaryDirectory(prefix="calm-", dir="/tmp") as folder:
        return undisturbed(FLAVOUR, tmp_path_factory.mktemp("calm"), Path(folder))


def test_a_disk_of_20_megabytes_is_one_sentence_and_with_room_the_study_goes_on(expected: Path, tmp_path: Path) -> None:
    study, disk = tmp_path / "chaos.yaml", tmp_path / "store"
    study.write_text(STUDY)
    script = SMALL_DISK.format(folder=tmp_path, disk=disk)
    done = on_small_disk(disk, script, "run", study, "--store", disk, "--json", "--tracker-wait", 5, size="20m")
    said = (tmp_path / "said").read_text()
    assert (tmp_path / "code").read_text().strip() == "1", said
    assert "Traceback" not in said
    assert "No space left on device" in said
    assert done.returncode == 0, done.stderr
    for told in (tmp_path / "out").glob("trials/*/error.txt"):
        told.unlink()  # of the failed attempt, as its line in the timeline
    assert store_differences(expected, tmp_path / "out") == []
    assert tracking_differences(tmp_path / "out" / "mlflow.db", tmp_path / "out") == []


def test_a_disk_that_is_slow_to_flush_changes_nothing(expected: Path, tmp_path: Path, scratch: Path) -> None:
    command = Command(FLAVOUR, tmp_path / "run", scratch, variables=customized(tmp_path, SLOW))
    command.start()
    while command.code is None:
        time.sleep(0.1)
    assert_undisturbed(command, expected)


def test_a_clock_that_jumps_by_hours_changes_nothing(expected: Path, tmp_path: Path, scratch: Path) -> None:
    """Forward and back while trials train; the clock that cannot be set goes on as it is."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    command = Command(FLAVOUR, tmp_path / "run", scratch, variables=customized(tmp_path, MOVED, CHAOS_CLOCK=str(clock)))
    command.start()
    for jump in JUMPS_S:
        before = records(command.store)
        while command.code is None and records(command.store) <= before:
            time.sleep(0.05)
        assert command.code is None, command.said
        write_text(clock, str(jump))
    while command.code is None:
        time.sleep(0.1)
    assert_undisturbed(command, expected)
    times = [
        json.loads(line)["wall_time"] for path in command.store.glob("trials/*/history.jsonl") for line in path.open()
    ]
    assert max(times) - min(times) > 7200


def customized(folder: Path, code: str, **variables: str) -> dict[str, str]:
    """Return the environment in which each Python process runs ``code`` first."""
    (folder / "first").mkdir()
    (folder / "first" / "sitecustomize.py").write_text(code)
    return variables | {"PYTHONPATH": os.pathsep.join([str(folder / "first"), str(ROOT)])}


def assert_undisturbed(command: Command, expected: Path) -> None:
    """Assert the end of a run that nothing has ended before."""
    assert command.code == 0, command.said
    assert "Traceback" not in command.said
    assert store_differences(expected, command.store) == []
    assert tracking_differences(command.store / "mlflow.db", command.store) == []
    assert list(command.store.glob("trials/*/events.jsonl")) == []
