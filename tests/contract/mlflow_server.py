"""Start, stop and start again a real MLflow server on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from orchestrator.core.processes import Process, descendants, process

START_S = 300
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # the jobs that nobody sends here cost seconds of start


class MlflowServer:
    """Own one server: its port and its data stay the same however often it is stopped and started."""

    def __init__(
        self,
        folder: Path,
        database: str | None = None,
        artifacts: str | None = None,
        variables: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._database = database or f"sqlite:///{folder / 'mlflow.db'}"
        self._artifacts = artifacts or str(folder / "artifacts")
        self._environment = os.environ | QUIET | (variables or {})
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, unless it runs, and wait until it answers."""
        if self._process is not None:
            return
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
            "--backend-store-uri", self._database, "--artifacts-destination", self._artifacts,
            *self._options,
        ]  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._environment, start_new_session=True, cwd=self._folder
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)  # nobody tells when a server begins to listen
        self.kill()
        pytest.fail(f"the MLflow server did not start: {(self._folder / 'log').read_text()[-2000:]}")

    @property
    def processes(self) -> list[Process]:
        """Return the server's processes."""
        own = process(self._process.pid) if self._process is not None else None
        return [own, *descendants(own.pid)] if own else []

    def kill(self) -> None:
        """End the server's processes at once, in the middle of whatever they do."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
            self._process = None


def free_port() -> int:
    """Return a port on which no server listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
