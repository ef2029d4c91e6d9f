"""Public weights are fetched once, and only whole ones are kept."""

import hashlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainers.schema.digest import file_digest, recorded_digest
from trainers.schema.remote import FetchError, cached, fetch
from trainers.schema.zoo import checkpoint_names, find_checkpoint

CONTENT = bytes(range(256)) * 8192  # 2 MiB: more than one block
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
GOOD, WRONG, PLAIN = f"/a/net-{DIGEST[:8]}.pth", "/a/net-00000000.pth", "/a/plain.pth"
CUT, PLAIN_CUT = f"/cut-{DIGEST[:8]}.pth", "/cut.pth"


class Weights(http.server.BaseHTTPRequestHandler):
    """Serve the same bytes under several names, one of them broken off at first; write down what is asked for."""

    asked: list[str] = []
    ranges = True

    def do_GET(self) -> None:
        self.asked.append(self.path)
        wanted = self.headers.get("Range")
        if wanted:
            self.asked.append(wanted)
        if self.path not in (GOOD, WRONG, PLAIN, CUT, PLAIN_CUT):
            self.send_error(404)
        elif wanted and self.ranges:
            self.rest(int(wanted.removeprefix("bytes=").removesuffix("-")))
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            first = self.asked.count(self.path) == 1
            self.wfile.write(CONTENT[:HALF] if first and self.path in (CUT, PLAIN_CUT) else CONTENT)

    def rest(self, start: int) -> None:
        """Serve what comes after ``start``."""
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Weights.asked, Weights.ranges = [], True
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
    assert left(cache) == [first.name, f"{first.name}.sha256"]


def test_a_name_without_digest_is_taken_as_it_comes(server):
    assert file_digest(fetch(server + PLAIN)) == DIGEST


def test_damaged_weights_are_refused_and_nothing_is_left_behind(server, cache):
    with pytest.raises(FetchError, match=r"^the download from http\S+ is damaged: its SHA-256 does not begin with"):
        fetch(server + WRONG)
    assert left(cache) == []


# -------------------------------------------------------------------------------------------------------------- going on


def test_a_download_that_broke_off_goes_on_where_it_stopped(server, cache):
    with pytest.raises(FetchError, match=rf"broke off after {HALF} of {len(CONTENT)} bytes, try again"):
        fetch(server + CUT)
    assert left(cache) == [f".{CUT[1:]}.part"]
    assert fetch(server + CUT).read_bytes() == CONTENT
    assert Weights.asked == [CUT, CUT, f"bytes={HALF}-"]
    assert left(cache) == [CUT[1:], f"{CUT[1:]}.sha256"]


def test_a_server_that_cannot_go_on_starts_over(server):
    with pytest.raises(FetchError):
        fetch(server + CUT)
    Weights.ranges = False
    assert fetch(server + CUT).read_bytes() == CONTENT


def test_a_download_without_digits_in_its_name_starts_over(server, cache):
    with pytest.raises(FetchError, match="broke off"):
        fetch(server + PLAIN_CUT)
    assert left(cache) == []  # nothing could tell whether the rest is the rest of the same file
    assert fetch(server + PLAIN_CUT).read_bytes() == CONTENT
    assert Weights.asked == [PLAIN_CUT, PLAIN_CUT]


@pytest.mark.parametrize(
    ("start", "message"), [(b"x" * HALF, "is damaged"), (CONTENT + b"x", None)], ids=["other", "longer"]
)
def test_the_whole_is_checked_whatever_was_there(server, cache, start, message):
    cache.mkdir(parents=True)
    (cache / f".{GOOD[3:]}.part").write_bytes(start)
    if message:
        with pytest.raises(FetchError, match=message):
            fetch(server + GOOD)
        assert left(cache) == []
    assert fetch(server + GOOD).read_bytes() == CONTENT


def test_several_who_fetch_at_once_download_once(server, cache):
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(fetch, [server + GOOD] * 8))
    assert {file.read_bytes() for file in files} == {CONTENT}
    assert Weights.asked == [GOOD]
    assert left(cache) == [GOOD[3:], f"{GOOD[3:]}.sha256"]


def test_progress_is_told_in_tenths(server, capsys):
    fetch(server + GOOD)
    with pytest.raises(FetchError):
        fetch(server + CUT)
    fetch(server + CUT)
    lines = capsys.readouterr().err.splitlines()
    name = GOOD[3:]
    tenths = [int(line.removeprefix(f"{name}: ").split(" %")[0]) for line in lines if line.startswith(name)]
    assert tenths == sorted(set(tenths))
    assert tenths[-1] == 100
    assert all(line.endswith("% of 2.0 MiB") for line in lines)
    assert [line.split(": ")[1] for line in lines if line.startswith("cut")] == ["50 % of 2.0 MiB", "100 % of 2.0 MiB"]


# --------------------------------------------------------------------------------------------------------------- digests


def test_the_whole_digest_is_recorded_as_sha256sum_reads_it(server):
    file = fetch(server + PLAIN)
    record = Path(f"{file}.sha256").read_text().splitlines()
    assert record[1] == f"{DIGEST}  {file.name}"
    assert record[0] == f"# size={len(CONTENT)} mtime_ns={file.stat().st_mtime_ns}"


def test_weights_that_were_damaged_in_the_cache_are_refused(server, cache):
    fetch(server + GOOD).write_bytes(b"other")
    with pytest.raises(
        FetchError, match=rf"{DIGEST[:8]}\.pth, which was fetched earlier, has changed: its SHA-256 was"
    ):
        fetch(server + GOOD)
    assert Weights.asked == [GOOD]


def test_weights_without_digits_in_their_name_stay_what_they_were(server):
    file = fetch(server + PLAIN)
    file.write_bytes(CONTENT[::-1])
    with pytest.raises(FetchError, match=f"has changed: its SHA-256 was {DIGEST} and is .*; remove it and try again"):
        fetch(server + PLAIN)


def test_a_file_that_was_put_into_the_cache_is_checked_and_recorded(server, cache):
    cache.mkdir(parents=True)
    (cache / GOOD[3:]).write_bytes(CONTENT)
    (cache / WRONG[3:]).write_bytes(CONTENT)
    assert fetch(server + GOOD).read_bytes() == CONTENT
    assert (cache / f"{GOOD[3:]}.sha256").exists()
    with pytest.raises(FetchError, match="is damaged: its SHA-256 does not begin with 00000000"):
        fetch(server + WRONG)
    assert Weights.asked == []


def test_a_file_is_read_again_only_when_its_size_or_time_has_changed(tmp_path):
    file = tmp_path / "net.pth"
    file.write_bytes(CONTENT)
    assert recorded_digest(file) == DIGEST
    time = file.stat().st_mtime_ns
    file.write_bytes(CONTENT[::-1])
    os.utime(file, ns=(time, time))
    assert recorded_digest(file) == DIGEST  # not read: whoever forges times can forge records
    os.utime(file, ns=(time, time + 1))
    with pytest.raises(ValueError, match="has changed"):
        recorded_digest(file)
    file.write_bytes(CONTENT)
    assert recorded_digest(file) == DIGEST  # the same bytes at another time: recorded anew
    assert str(file.stat().st_mtime_ns) in Path(f"{file}.sha256").read_text()


@pytest.mark.parametrize("record", ["", "text", DIGEST, f"# size=1 mtime_ns=1\n{DIGEST[:60]}  net.pth\n", "\udcff"])
def test_a_record_that_cannot_be_read_is_written_anew(record, tmp_path):
    file = tmp_path / "net.pth"
    file.write_bytes(CONTENT)
    Path(f"{file}.sha256").write_bytes(record.encode(errors="surrogateescape"))
    assert recorded_digest(file) == DIGEST
    assert Path(f"{file}.sha256").read_text().endswith(f"{DIGEST}  net.pth\n")


def test_a_cache_that_cannot_be_written_is_read_all_the_same(tmp_path, monkeypatch):
    file = tmp_path / "net.pth"
    file.write_bytes(CONTENT)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("trainers.schema.digest.write_text", refuse)
    assert recorded_digest(file) == DIGEST
    assert not Path(f"{file}.sha256").exists()


# ---------------------------------------------------------------------------------------------------------- no weights


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
