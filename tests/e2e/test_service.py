"""The service over a real cluster: it is killed, and so is a driver; the study is submitted again and finished."""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.processes import processes
from tests.contract.mlflow_server import free_port
from tests.e2e.conftest import TINY
from tests.e2e.ray_processes import RayProcesses, ray_processes
from tests.e2e.stillhouse import COMMAND, ROOT, stillhouse

PATIENCE_S = 150


class Served:
    """Start and kill the service of one cluster and store; ``ask`` runs a command as its client."""

    def __init__(self, cluster: RayProcesses, store: Path) -> None:
        self._port, self._token = free_port(), secrets.token_hex(16)
        self._environment = (
            os.environ | cluster.credentials | {"STILLHOUSE_TOKEN": self._token, "PYTHONPATH": str(ROOT)}
        )
        self._command = [*COMMAND, "serve", "--address", cluster.address, "--store", store, "--port", self._port]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen([str(word) for word in self._command], env=self._environment)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def ask(self, *words: object) -> Any:
        client = {"STILLHOUSE_URL": f"http://127.0.0.1:{self._port}", "STILLHOUSE_TOKEN": self._token}
        return stillhouse(*words, **client)


@contextmanager
def served(cluster: RayProcesses, store: Path) -> Iterator[Served]:
    found = Served(cluster, store)
    try:
        found.start()
        yield found
    finally:
        found.kill()


def until(happened: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.5)  # other processes tell nobody
    pytest.fail(f"waited {PATIENCE_S} s until {what}")


def driver_of(name: str) -> int | None:
    """Return the process that drives an attempt."""
    found = [one.pid for one in processes() if "orchestrator.commands.job" in one.title and f"{name} " in one.title]
    return found[0] if found else None


@pytest.mark.slow
def test_a_killed_service_goes_on_and_a_killed_driver_is_replaced(tmp_path: Path) -> None:
    study, store = tmp_path / "tiny.yaml", tmp_path / "store"
    study.write_text(TINY.partition("search:")[0])
    with ray_processes(workers=1) as cluster, served(cluster, store) as service:
        until(lambda: service.ask("list").code == 0, "the service answers")
        accepted = service.ask("submit", study, "--json").json
        assert (accepted["new"], accepted["state"]) == (True, "queued")
        service.kill()
        service.start()
        until(lambda: service.ask("list").code == 0, "the service answers again")
        first = f"{accepted['key']}-1"
        until(lambda: "epoch 1/2" in service.ask("logs", accepted["key"]).out, "the teacher trains")
        driver = driver_of(first)
        assert driver is not None
        os.kill(driver, signal.SIGKILL)
        state = until(lambda: ended(service, study), "the study has ended")
        assert (state["state"], state["attempt"]) == ("finished", 2), service.ask("logs", accepted["key"]).out
        again = service.ask("submit", study, "--json").json
        assert (again["new"], again["state"]) == (False, "finished")
    compared = stillhouse("compare", study, "--store", store, "--json").json
    assert {trial["status"] for trial in compared["trials"]} == {"finished"}


def ended(service: Served, study: Path) -> Any:
    found = service.ask("status", study, "--json").json
    return found if found["state"] in ("finished", "failed", "stopped") else None
