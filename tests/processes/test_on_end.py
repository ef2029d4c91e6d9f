"""The end of a run reaches a server and a program, or costs one sentence and no more than the time limit."""

import http.server
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.processes import this_process
from orchestrator.core.ray_environment import DRIVER
from orchestrator.execution import on_end
from orchestrator.execution.on_end import NotTold, call, post

TEXT = json.dumps({"study": "mine", "state": "finished"})


class Server(http.server.BaseHTTPRequestHandler):
    """Take what is posted to /taken, and be slow or elsewhere for other paths."""

    received: list[tuple[str, str]] = []

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/slow":
            time.sleep(1.0)
        self.received.append((self.headers["Content-Type"], text))
        self.send_response({"/taken": 204, "/moved": 302}.get(self.path, 404))
        self.send_header("Location", "/taken")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    Server.received = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_address_gets_it_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    post(f"{address}/taken", TEXT)
    assert Server.received == [("application/json", TEXT)]
    monkeypatch.setenv("STILLHOUSE_WEBHOOK", f"{address}/taken")
    post("${STILLHOUSE_WEBHOOK}", TEXT)
    assert len(Server.received) == 2


@pytest.mark.parametrize(
    ("path", "says"),
    [("/nowhere", "answered 404"), ("/moved", "answered 302"), ("/slow", "did not answer within 0.2 s")],
)
def test_an_address_that_does_not_take_it_is_told(
    path: str, says: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_end, "LIMIT_S", 0.2 if path == "/slow" else 30.0)
    with pytest.raises(NotTold) as error:
        post(address + path, TEXT)
    assert str(error.value) == f"the webhook at {address} {says}"


def test_an_address_where_nobody_listens_is_told() -> None:
    with pytest.raises(NotTold, match=r"the webhook at http://127\.0\.0\.1:9 cannot be reached \(ConnectError\)"):
        post("http://127.0.0.1:9/x", TEXT)


def test_a_program_gets_it_on_stdin_and_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    call((sys.executable, "-c", code, str(tmp_path / "a; b $HOME")), TEXT)
    assert (tmp_path / "a; b $HOME").read_text() == TEXT


def test_a_program_that_reads_nothing_may_end_well() -> None:
    call(("true",), TEXT * 100_000)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (("/nowhere/notify",), "the program /nowhere/notify cannot be started: No such file or directory"),
        (("sh", "-c", "echo no; echo why >&2; exit 3"), "the program sh ended with exit code 3: why"),
        (("sh", "-c", "sleep 30 & wait"), "the program sh did not end within 0.3 s"),
    ],
)
def test_a_program_that_fails_is_told(
    program: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(on_end, "LIMIT_S", 0.3 if "sleep" in program[-1] else 30.0)
    began = time.monotonic()
    with pytest.raises(NotTold) as error:
        call(program, TEXT)
    assert str(error.value) == says
    assert time.monotonic() - began < 10
    assert capfd.readouterr() == ("", "")


def test_a_program_is_started_without_the_mark_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run ends all that carry its mark, and a program may have started the next study."""
    monkeypatch.setenv(DRIVER, this_process().identity)
    written = tmp_path / "environment"
    code = "import os, sys; open(sys.argv[1], 'w').write(' '.join(os.environ))"
    call((sys.executable, "-c", code, str(written)), TEXT)
    names = written.read_text().split()
    assert "PATH" in names
    assert DRIVER not in names
