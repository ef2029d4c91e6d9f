"""Machines of a cluster lose sight of each other for ten seconds while a study trains: it ends as if nothing had been."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.comparison import store_differences, tracking_differences
from tests.chaos.disturb import undisturbed
from tests.chaos.flavours import FLAVOURS, STUDY
from tests.chaos.machines import Machines, cut_off_for
from tests.chaos.moments import committed
from tests.e2e.ray_processes import OURS
from tests.e2e.stillhouse import COMMAND, ROOT

RAY = Path(sys.executable).with_name("ray")
PORT = 6379
CUT_S = 10.0
PATIENCE_S = 300.0
HEAD, NODE, DRIVER = "head", "node", "driver"  # only the node has CPUs
CPUS = {HEAD: 0, NODE: 2, DRIVER: 0}


class Cluster:
    """Own a Ray of three machines; the command runs on the one called driver, and all see one disk."""

    def __init__(self, machines: Machines, folder: Path) -> None:
        self._machines, self._folder = machines, folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self._environment = clean | {"PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled", "TMPDIR": str(folder)}

    def start(self) -> None:
        """Start Ray on each machine, the head first, and wait for each."""
        for name, cpus in CPUS.items():
            joining = (
                ("--head", "--port", PORT, "--include-dashboard", "false")
                if name == HEAD
                else ("--address", self.address)
            )
            words = (
                RAY, "start", *joining, "--node-ip-address", self._machines.address(name), "--num-cpus", cpus,
                "--temp-dir", self._folder / name, "--disable-usage-stats",
            )  # fmt: skip
            done = self._popen(name, words, "start").wait(120)
            assert done == 0, self.log(name, "start")

    @property
    def address(self) -> str:
        """Return where the head listens."""
        return f"{self._machines.address(HEAD)}:{PORT}"

    def run(self, study: Path, store: Path, sets: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """Start the command."""
        options = [part for one in sets for part in ("--set", one)]
        words = (*COMMAND, "run", study, "--store", store, "--address", self.address, "--json", *options)
        return self._popen(DRIVER, words, "run")

    def log(self, name: str, what: str) -> str:
        """Return what a command has said."""
        return (self._folder / f"{name}-{what}.log").read_text(errors="replace")

    def _popen(self, name: str, words: tuple[object, ...], what: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}-{what}.log").open("ab") as log:
            return subprocess.Popen(
                self._machines.command(name, *words),
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )


@contextmanager
def clustered() -> Iterator[tuple[Machines, Cluster]]:
    with Machines(tuple(CPUS)) as machines, tempfile.TemporaryDirectory(prefix="net-", dir="/tmp") as folder:
        cluster = Cluster(machines, Path(folder))
        cluster.start()
        yield machines, cluster


def wait_until(happened: Callable[[], bool], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)


def goes_on(command: subprocess.Popen[bytes], cluster: Cluster, store: Path) -> bool:
    """Wait until a trial saves something, and return whether the command still runs."""
    before = committed(store)
    wait_until(lambda: committed(store) > before or command.poll() is not None, lambda: cluster.log(DRIVER, "run"))
    return command.poll() is None


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_ten_seconds_without_a_network_change_nothing(tmp_path: Path) -> None:
    flavour = FLAVOURS["long"]
    study, store = tmp_path / "chaos.yaml", tmp_path / "store"
    study.write_text(STUDY)
    cuts = []
    with clustered() as (machines, cluster):
        command = cluster.run(study, store, flavour.sets)
        for name in (NODE, DRIVER, HEAD):
            if goes_on(command, cluster, store):
                cut_off_for(machines, name, CUT_S)
                cuts.append(name)
        wait_until(lambda: command.poll() is not None, lambda: cluster.log(DRIVER, "run"))
        said = cluster.log(DRIVER, "run")
    assert command.returncode == 0, said
    assert cuts == [NODE, DRIVER, HEAD]
    assert "Traceback" not in said
    with tempfile.TemporaryDirectory(prefix="calm-", dir="/tmp") as scratch:
        expected = undisturbed(flavour, tmp_path / "calm", Path(scratch))
    assert store_differences(expected, store) == []
    assert tracking_differences(store / "mlflow.db", store) == []
    events = [
        json.loads(line) for path in store.glob("trials/*/events.jsonl") for line in path.read_text().splitlines()
    ]
    assert {event["kind"] for event in events} <= {"worker lost", "preempted"}, events
