"""Archives of data sets are fetched once, held to their MD5, and go on where a download broke off."""

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.reproduce.fetch_data import fetch_data
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import make_run_plan
from orchestrator.reproduce.sources import FETCHED, FileSource, Lack, lacking


def packed_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("train2017/1.jpg", b"picture" * 1000)
    return stream.getvalue()


def packed_tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("VOCdevkit/VOC2007/1.xml")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"<a/>\n"))
    return stream.getvalue()


FILES = {"/train2017.zip": packed_zip(), "/voc.tar": packed_tar()}


class Archives(http.server.BaseHTTPRequestHandler):
    """Serve both archives, whole or from a byte on; note what is asked for."""

    asked: list[tuple[str, str | None]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        content = FILES[self.path]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Archives.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archives) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def lack(server: str, name: str, folder: Path, md5: str | None = None) -> Lack:
    digest = hashlib.md5(FILES[name]).hexdigest() if md5 is None else md5
    return Lack("data", (FileSource(server + name, f"MD5 {digest}", str(folder)),), unpack=str(folder))


@pytest.mark.parametrize(
    ("name", "file"), [("/train2017.zip", "train2017/1.jpg"), ("/voc.tar", "VOCdevkit/VOC2007/1.xml")]
)
def test_an_archive_is_unpacked_once(name, file, server, tmp_path):
    fetch_data(lack(server, name, tmp_path))
    assert (tmp_path / file).is_file()
    assert [path.suffix for path in (tmp_path / FETCHED).iterdir()] == [".done"]
    fetch_data(lack(server, name, tmp_path))
    assert Archives.asked == [(name, None)]


def test_a_download_goes_on_where_it_broke_off(server, tmp_path):
    part = tmp_path / FETCHED / "train2017.zip"
    part.parent.mkdir()
    part.write_bytes(FILES["/train2017.zip"][:500])
    fetch_data(lack(server, "/train2017.zip", tmp_path))
    assert Archives.asked == [("/train2017.zip", "bytes=500-")]
    assert (tmp_path / "train2017" / "1.jpg").read_bytes() == b"picture" * 1000


def test_what_is_not_what_it_should_be_is_thrown_away(server, tmp_path):
    with pytest.raises(OperationError, match="MD5"):
        fetch_data(lack(server, "/train2017.zip", tmp_path, md5="0" * 32))
    assert not (tmp_path / "train2017").exists()
    assert list((tmp_path / FETCHED).iterdir()) == []


def test_data_that_nobody_serves_is_refused(tmp_path):
    with pytest.raises(OperationError, match="cannot be fetched"):
        fetch_data(Lack("data in /somewhere", (), unpack=str(tmp_path)))


def test_a_data_set_is_lacking_until_its_last_archive_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("STILLHOUSE_DATA", str(tmp_path))
    run_plan = make_run_plan(["retina_r50"], Options(), Store(tmp_path / "store"), Machine(cpus=8, gpus=8))

    def data() -> list[Lack]:
        return [one for one in lacking(run_plan) if one.what != "weights"]

    [before] = data()
    assert (before.unpack, len(before.files)) == (str(tmp_path / "coco"), 3)
    (tmp_path / "coco" / FETCHED).mkdir(parents=True)
    assert data() == [before]
    for source in before.files:
        (tmp_path / "coco" / FETCHED / f"{source.url.rsplit('/', 1)[-1]}.done").touch()
    assert data() == []
