"""Run a Ray cluster of separate processes on loopback: a head without CPUs and workers, with token authentication."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.processes import descendants
from tests.contract.mlflow_server import free_port

RAY = Path(sys.executable).with_name("ray")
START_S = 60
OURS = ("RAY_", "STILLHOUSE_")  # what pytest's own process has set is not the cluster's


class RayProcesses:
    """Start and kill the nodes of one cluster; ``variables`` is what its nodes see beyond the environment."""

    def __init__(self, folder: Path, variables: dict[str, str] | None = None) -> None:
        self.folder, self.token = folder, secrets.token_hex(32)
        self._port, self._dashboard = free_port(), free_port()
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self._environment = clean | self.credentials | {"RAY_USAGE_STATS_ENABLED": "0"} | (variables or {})

    @property
    def address(self) -> str:
        """Return the dashboard's address."""
        return f"http://127.0.0.1:{self._dashboard}"

    @property
    def credentials(self) -> dict[str, str]:
        """Return the variables that let a client in."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def start_head(self) -> None:
        """Start a head and wait until its dashboard answers."""
        self._start(
            "head", "--head", "--port", self._port, "--dashboard-host", "127.0.0.1", "--dashboard-port", self._dashboard,
            "--num-cpus", 0, "--ray-client-server-port", free_port(), "--include-dashboard", "true",
        )  # fmt: skip
        self._wait_until("Ray started", lambda: self.ask("/api/version"))

    def wait_for_nodes(self, number: int) -> None:
        """Wait until so many nodes, the head among them, are alive."""
        self._wait_until(f"{number} nodes joined", lambda: len(self.alive()) == number)

    def alive(self) -> list[str]:
        """Return the ids of the nodes that Ray holds for alive."""
        return [node["nodeId"] for node in self._raylets() if node.get("state") == "ALIVE"]

    def head(self) -> str:
        """Return the id of the head's node."""
        [found] = [node["nodeId"] for node in self._raylets() if node.get("isHeadNode")]
        return str(found)

    def _raylets(self) -> list[dict[str, Any]]:
        return [node["raylet"] for node in self.ask("/nodes?view=summary")["data"]["summary"]]

    def ask(self, path: str) -> Any:
        """Ask the dashboard for something."""
        request = urllib.request.Request(self.address + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def start_worker(self, name: str, cpus: int = 1) -> None:
        """Start a node with CPUs and a custom resource of its name; it joins when it is ready."""
        resources = json.dumps({name: 1})
        self._start(name, "--address", f"127.0.0.1:{self._port}", "--num-cpus", cpus, "--resources", resources)

    def training(self) -> str | None:
        """Return a worker node on which a trial is training just now."""
        for name, node in self._nodes.items():
            if any(process.title.startswith("ray::ResourceTrainable.train") for process in descendants(node.pid)):
                return name
        return None

    def kill(self, name: str) -> None:
        """Kill a node's processes at once, as a machine that is taken away."""
        node = self._nodes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait(30)

    def end(self) -> None:
        """Kill all nodes."""
        for name in list(self._nodes):
            self.kill(name)

    def _start(self, name: str, *options: object) -> None:
        # Each node has a folder of its own, as machines have: nodes delete each other's unpacked packages in a shared one.
        own = (
            "--temp-dir",
            self.folder / name,
            "--dashboard-agent-listen-port",
            free_port(),
            "--dashboard-agent-grpc-port",
            free_port(),
        )
        command = [
            RAY, "start", "--block", "--node-ip-address", "127.0.0.1", "--disable-usage-stats",
            "--metrics-export-port", free_port(), *own, *options,
        ]  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as log:
            self._nodes[name] = subprocess.Popen(
                [str(word) for word in command], stdout=log, stderr=log, env=self._environment, start_new_session=True
            )

    def _wait_until(self, what: str, happened: Callable[[], Any]) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, KeyError, ValueError):
                if happened():
                    return
            time.sleep(0.2)  # nobody tells when a process of Ray is ready
        pytest.fail(f"waited {START_S} s until {what}: {(self.folder / 'head.log').read_text()[-2000:]}")


@contextlib.contextmanager
def ray_processes(variables: dict[str, str] | None = None, workers: int = 2) -> Iterator[RayProcesses]:
    """Yield a cluster of a head and workers, and end all of its processes afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sh-ray-", dir="/tmp"))  # sockets below it need a short path
    cluster = RayProcesses(folder, variables)
    try:
        cluster.start_head()
        for number in range(workers):
            cluster.start_worker(f"worker-{number}")
        cluster.wait_for_nodes(1 + workers)
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)
