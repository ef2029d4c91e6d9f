"""Run ``stillhouse serve`` as a process, for a cluster that stands in for Ray and may hang."""

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.contract.mlflow_server import free_port
from tests.e2e.stillhouse import COMMAND, ROOT
from tests.unit.orchestrator.submit.fake_ray import FakeRay

TOKEN = "the-token-of-the-service"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
STUDY = """name: tiny
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: %d, policy: {kind: constant}}
"""


class StandInCluster:
    """Answer like a cluster's dashboard; while ``hanging`` is set, accept requests and never answer."""

    def __init__(self, folder: Path) -> None:
        self.ray, self.hanging = FakeRay(folder), threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        while self.hanging.is_set():
            time.sleep(0.1)
        with self._lock:
            return self.ray.answer(request)

    def close(self) -> None:
        self.hanging.clear()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, cluster: StandInCluster, *args: object) -> None:
        self.cluster = cluster
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        request = httpx.Request(self.command, f"http://head{self.path}", headers=dict(self.headers), content=body)
        answer = self.cluster.answer(request)
        with contextlib.suppress(ConnectionError):  # the service may be gone
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do


class ServiceProcess:
    """Start, ask and end the service of one store; its output goes to ``log``."""

    def __init__(self, folder: Path, cluster: str, *, files: int | None = None) -> None:
        self.store, self.log, self.port = folder / "store", folder / "service.log", free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._cluster, self._files = cluster, files
        self.folders = {name: folder / name for name in ("home", "tmp", "cwd")}
        for path in self.folders.values():
            path.mkdir(exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the service, and return when it answers."""
        words = [*COMMAND, "serve", "--address", self._cluster, "--store", self.store, "--port", self.port]
        words += ["--longest-queue", 100_000]
        environment = os.environ | {"STILLHOUSE_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
        environment |= {"HOME": str(self.folders["home"]), "TMPDIR": str(self.folders["tmp"])}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in words], env=environment, stdout=log, stderr=log, cwd=self.folders["cwd"]
            )
        if self._files is not None:  # the process has not counted them yet: it imports
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (self._files, self._files))
        deadline = time.monotonic() + 60
        while not self.answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def ask(self, method: str, path: str, **content: object) -> httpx.Response:
        return httpx.request(method, f"{self.address}{path}", headers=HEADERS, timeout=20, **content)  # type: ignore[arg-type]

    def end(self, number: int = signal.SIGTERM, patience_s: float = 60) -> float:
        """Send a signal and return how many seconds the process took to end."""
        assert self.process is not None
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(patience_s)
        return time.monotonic() - begin

    @property
    def peak_memory(self) -> int:
        """The most bytes that the process has held."""
        assert self.process is not None
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


@contextmanager
def service_process(folder: Path, *, files: int | None = None) -> Iterator[tuple[ServiceProcess, StandInCluster]]:
    """Run a service for a stand-in cluster."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = StandInCluster(folder / "ray")
    service = ServiceProcess(folder, cluster.address, files=files)
    try:
        service.start()
        yield service, cluster
    finally:
        if service.process is not None and service.process.poll() is None:
            service.process.kill()
            service.process.wait(30)
        cluster.close()
