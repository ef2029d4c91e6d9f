"""Public weights are fetched once, and only whole ones are kept."""

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainers.spec.remote import FetchError, cached, fetch, file_digest
from trainers.spec.zoo import checkpoint_names, find_checkpoint

CONTENT = bytes(range(256)) * 8192  # 2 MiB: more than one block
DIGEST = hashlib.sha256(CONTENT).hexdigest()
GOOD, WRONG, PLAIN, CUT = f"/a/net-{DIGEST[:8]}.pth", "/a/net-00000000.pth", "/a/plain.pth", f"/cut-{DIGEST[:8]}.pth"


class Weights(http.server.BaseHTTPRequestHandler):
    """Serve the same bytes under three names, and half of them under another; count what is asked for."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path not in (GOOD, WRONG, PLAIN, CUT):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == CUT else CONTENT)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Weights.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Weights) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def test_weights_are_downloaded_once_into_the_cache(server, cache):
    first = fetch(server + GOOD)
    assert first == cached(server + GOOD) == cache / GOOD.rpartition("/")[2]
    assert first.read_bytes() == CONTENT
    assert fetch(server + GOOD) == first
    assert Weights.asked == [GOOD]
    assert left(cache) == [first.name]


def test_a_name_without_digest_is_taken_as_it_comes(server):
    assert file_digest(fetch(server + PLAIN)) == DIGEST


@pytest.mark.parametrize("path", [WRONG, CUT])
def test_damaged_weights_are_refused_and_nothing_is_left_behind(server, cache, path):
    with pytest.raises(FetchError, match=r"^what came from http\S+ is damaged: its SHA-256 does not begin with"):
        fetch(server + path)
    assert left(cache) == []


def test_weights_that_were_damaged_in_the_cache_are_refused(server, cache):
    fetch(server + GOOD).write_bytes(b"other")
    with pytest.raises(FetchError, match=rf"{DIGEST[:8]}\.pth, which was fetched earlier, is damaged"):
        fetch(server + GOOD)
    assert Weights.asked == [GOOD]


def test_weights_that_do_not_exist(server, cache):
    with pytest.raises(FetchError, match=r"^cannot fetch http\S+/none\.pth: Not Found; put the file into"):
        fetch(f"{server}/none.pth")
    assert left(cache) == []


def test_nobody_answers(cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/net.pth"
        with pytest.raises(FetchError, match=rf"cannot fetch {url}: .*refused; put the file into {cache}"):
            fetch(url)
    assert left(cache) == []


def test_something_that_does_not_speak_http(cache):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(FetchError, match="220 mail ready"):
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/net.pth")
        thread.join()
    assert left(cache) == []


@pytest.mark.parametrize("url", ["http://[bad/net.pth", "net.pth", "http://127.0.0.1:port/net.pth"])
def test_an_address_that_is_none(url):
    with pytest.raises(FetchError, match="cannot fetch"):
        fetch(url)


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(FetchError, match=r"^cannot fetch .*Not a directory"):
        fetch(server + GOOD)
    assert Weights.asked == []


def test_without_the_variable_the_cache_is_in_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", None):
        monkeypatch.delenv("STILLHOUSE_CACHE") if value is None else monkeypatch.setenv("STILLHOUSE_CACHE", value)
        assert cached("https://x/y.pth") == tmp_path / ".cache" / "stillhouse" / "weights" / "y.pth"
    monkeypatch.setenv("STILLHOUSE_CACHE", "~/elsewhere")
    assert cached("https://x/y.pth") == tmp_path / "elsewhere" / "weights" / "y.pth"


def test_every_zoo_checkpoint_can_be_verified():
    for name in checkpoint_names():
        checkpoint = find_checkpoint(name)
        assert checkpoint is not None
        assert checkpoint.url.endswith(f"-{checkpoint.sha256}.pth"), name
