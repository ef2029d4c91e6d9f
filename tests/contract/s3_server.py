"""Run a server of the S3 protocol on loopback, in a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.mlflow_server import free_port

START_S = 60
BUCKET = "bucket"


class S3Server:
    """Own one server with one bucket; it forgets everything when it is killed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"http://127.0.0.1:{self._port}"

    @property
    def variables(self) -> dict[str, str]:
        """Return what makes S3 clients come here."""
        return {
            "AWS_ENDPOINT_URL": self.address, "MLFLOW_S3_ENDPOINT_URL": self.address, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing-key", "AWS_SECRET_ACCESS_KEY": "testing-secret", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def start(self) -> None:
        """Start the server, wait until it answers, and create the bucket."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        with (self._folder / "s3.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | self.variables, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                request = urllib.request.Request(f"{self.address}/{BUCKET}", method="PUT")
                with urllib.request.urlopen(request, timeout=5):
                    return
            except OSError:
                time.sleep(0.1)  # nobody tells when a server begins to listen
        pytest.fail(f"the S3 server did not start: {(self._folder / 's3.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End the server at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
            self._process = None


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Yield a running server, and end it afterwards."""
    server = S3Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
