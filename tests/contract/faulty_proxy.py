"""Stand between a client and a server, and lose, delay, refuse and cut off requests by a seed."""

import http.client
import http.server
import random
import threading
import time
from types import TracebackType
from typing import Any, Self

LATE_S = 3.0  # longer than the client waits: the request is carried out when nobody listens any more
SLOW_S = 0.1
CUT, HALF = (
    "cut off",
    "half a document",
)  # the connection ends within the body; or the body is whole by its length, and is no JSON
FAULTS = ("refused", "lost before", "lost after", "error", "late", "slow", CUT, HALF)
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class FaultyProxy:
    """Forward HTTP requests to a port; a share of those whose path contains ``path`` meets one of ``faults``."""

    def __init__(
        self, port: int, share: float, seed: int, *, path: str = "", faults: tuple[str, ...] = FAULTS, most: int = 10**9
    ) -> None:
        self.target, self.share = port, share
        self._path, self._faults, self._most = path, faults, most
        self.in_flight, self._landed = 0, threading.Condition()
        self.met = dict.fromkeys(FAULTS, 0)
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"proxy": self}))
        self._server.daemon_threads = False  # leaving waits for requests that are late
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for_late_ones(self) -> None:
        """Return when each request that was delayed has been carried out."""
        with self._landed:
            self._landed.wait_for(lambda: self.in_flight == 0, timeout=30)

    def count(self, change: int) -> None:
        """Note that a late request has come or has been carried out."""
        with self._landed:
            self.in_flight += change
            self._landed.notify_all()

    def draw(self, path: str) -> str:
        """Return the fault that the next request meets, or nothing."""
        with self._lock:
            done = sum(self.met.values()) >= self._most
            if done or self._path not in path or self._random.random() >= self.share:
                return ""
            fault = self._random.choice(self._faults)
            self.met[fault] += 1
            return fault


class Handler(http.server.BaseHTTPRequestHandler):
    """Treat one request."""

    proxy: FaultyProxy

    def treat(self) -> None:
        """Forward the request, unless it meets a fault."""
        self.close_connection = True
        fault = self.proxy.draw(self.path)
        if fault == "refused":
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault == "lost before":
            return
        if fault == "error":
            self.send_error(500)
            return
        if fault == "slow":
            time.sleep(SLOW_S)
        if fault == "late":
            self.proxy.count(1)
            time.sleep(LATE_S)
        status, headers, content = self.forward(body)
        if fault == "late":
            self.proxy.count(-1)
        if fault == HALF:
            content = content[: len(content) // 2]
        if fault in ("", "slow", CUT, HALF):
            self.answer(status, headers, content, len(content) // 2 if fault == CUT else len(content))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = treat

    def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server; what it cannot answer is an error of the gateway."""
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=30)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP | {"host"}}
        try:
            connection.request(self.command, self.path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        except (OSError, http.client.HTTPException):
            return 502, [], b""
        finally:
            connection.close()

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes, sent: int) -> None:
        """Pass on so many bytes of what the server said, if the client still listens."""
        try:
            self.send_response(status)
            for key, value in headers:
                if key.lower() not in HOP:
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content[:sent])
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
