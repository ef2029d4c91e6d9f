"""Drive Ray's cluster launcher, which starts machines, reaches them and ends them, as processes of their own.

Its Python interface calls itself experimental and answers Ctrl-C wherever it happens to be; its commands are stable, and a
process can be ended in order.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import OperationError
from trainers.schema.error_text import last_line_of

RAY = (sys.executable, "-m", "ray.scripts.scripts")
END_S = 10.0  # that a process gets to end by itself
LOOK_S, REOPEN_S = 0.1, 1.0


@dataclass(frozen=True)
class Launcher:
    """Start and end the cluster of one file; ``command`` stands for ``ray``, and ``log`` receives its output.

    Every method may be repeated. Each raises ``OperationError`` when the launcher fails, with its last line.
    """

    file: Path
    log: Path
    command: Sequence[str] = RAY

    def up(self) -> None:
        """Start the cluster, or bring the one that runs up to date."""
        self._run("up", "--yes", "--no-config-cache", "--disable-usage-stats", str(self.file))

    def down(self) -> None:
        """End all machines of the cluster; one that is gone is fine."""
        self._run("down", "--yes", str(self.file))

    def fetch(self, remote: str, local: Path) -> None:
        """Copy a folder of the head over a local one; files that the head lacks stay."""
        local.mkdir(parents=True, exist_ok=True)
        self._run("rsync-down", str(self.file), f"{remote}/", f"{local}/")

    @contextlib.contextmanager
    def tunnel(self, port: int) -> Iterator[None]:
        """Reach the cluster's dashboard at a local port for the length of a block; a connection that breaks is renewed."""
        ended = threading.Event()
        keeper = threading.Thread(target=self._keep_open, args=(port, ended), name="tunnel", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def _keep_open(self, port: int, ended: threading.Event) -> None:
        while not ended.is_set():
            with self._started("dashboard", "--port", str(port), str(self.file)) as process:
                while process.poll() is None and not ended.wait(LOOK_S):
                    pass
            ended.wait(REOPEN_S)

    def _run(self, *arguments: str) -> None:
        with self._started(*arguments) as process:
            code = process.wait()
        if code:
            raise OperationError(f"ray {arguments[0]} failed: {self._last_line()} (all of it: {self.log})")

    @contextlib.contextmanager
    def _started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command in a session of its own: Ctrl-C is for us, and we end it."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*self.command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            _end(process)

    def _last_line(self) -> str:
        return last_line_of(self.log.read_text(errors="replace")).strip() or "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, if it still runs."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
