"""Every kind of storage keeps the same promises: a folder, and a server of the S3 protocol on loopback."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.errors import UserError
from orchestrator.storage.backend import StorageBackend, StorageUnavailable
from orchestrator.storage.mirror import Mirror
from tests.contract.s3_server import BUCKET, S3Server, s3_server

BOUND_S = 30  # for an error to be told when no server listens


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    before = dict(os.environ)
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        os.environ.update(server.variables)
        yield server
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(params=["file", "s3"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> StorageBackend:
    if request.param == "s3":
        request.getfixturevalue("s3")
        return StorageBackend(f"s3://{BUCKET}/{tmp_path.name}")
    return StorageBackend(f"file://{tmp_path}/mirror")


def trial_in(folder: Path, **files: str) -> Path:
    """Write a trial's directory; underscores in names stand for dots."""
    directory = folder / "trials" / "0123456789ab"
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("_", ".")).write_text(content)
    return directory


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_an_object_is_what_was_put_there_last(backend: StorageBackend, tmp_path: Path) -> None:
    assert backend.read("a/b") is None
    backend.write(b"first", "a/b")
    (tmp_path / "file").write_bytes(b"second")
    backend.put(tmp_path / "file", "a/b")
    assert backend.read("a/b") == b"second"
    backend.get("a/b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"second"
    backend.delete("a/b")
    backend.delete("a/b")
    assert backend.read("a/b") is None


def test_names_are_those_of_one_folder(backend: StorageBackend) -> None:
    assert backend.names("a") == []
    for name in ("a/2", "a/1", "b/3"):
        backend.write(b"x", name)
    assert backend.names("a") == ["1", "2"]


def test_a_trial_comes_back_as_it_was(backend: StorageBackend, tmp_path: Path) -> None:
    here = trial_in(tmp_path / "here", best_pth="weights", outcome_json="{}", progress_json="{}", stop="")
    (here / "ray").mkdir()
    Mirror(backend).keep(here)
    there = tmp_path / "there" / "trials" / here.name
    assert Mirror(backend).bring(there)
    assert contents(there) == {"best.pth": "weights", "outcome.json": "{}"}
    assert not Mirror(backend).bring(there)  # what is there is not touched
    assert not Mirror(backend).bring(there.with_name("unknown"))


def test_only_what_has_changed_is_sent_and_what_is_gone_is_deleted(backend: StorageBackend, tmp_path: Path) -> None:
    mirror = Mirror(backend)
    here = trial_in(tmp_path, best_pth="weights", resume_pt="state 1")
    mirror.keep(here)
    before = backend.names("trials/0123456789ab")
    trial_in(tmp_path, resume_pt="state 2")
    mirror.keep(here)
    after = backend.names("trials/0123456789ab")
    assert len(before) == len(after) == 3  # two files and the index
    assert len(set(after) - set(before)) == 1


def test_a_copy_that_was_cut_off_shows_the_moment_before(backend: StorageBackend, tmp_path: Path) -> None:
    here = trial_in(tmp_path / "here", best_pth="epoch 1", history_jsonl="1")
    Mirror(backend).keep(here)
    trial_in(tmp_path / "here", best_pth="epoch 2", history_jsonl="1 2")

    class CutOff(StorageBackend):
        def write(self, content: bytes, name: str) -> None:
            raise StorageUnavailable("cut off")

    with pytest.raises(StorageUnavailable):
        Mirror(CutOff(backend.address)).keep(here)
    there = tmp_path / "there" / "trials" / here.name
    Mirror(backend).bring(there)
    assert contents(there) == {"best.pth": "epoch 1", "history.jsonl": "1"}


def test_a_damaged_copy_is_refused_and_leaves_no_trial(backend: StorageBackend, tmp_path: Path) -> None:
    here = trial_in(tmp_path / "here", best_pth="weights")
    Mirror(backend).keep(here)
    digest = json.loads(backend.read("trials/0123456789ab/index.json") or b"")["best.pth"]
    backend.write(b"something else", f"trials/0123456789ab/{digest}")
    there = tmp_path / "there" / "trials" / here.name
    with pytest.raises(StorageUnavailable, match="is damaged"):
        Mirror(backend).bring(there)
    assert not there.exists()


@pytest.mark.parametrize("name", ["../../escape", "/etc/passwd", ".hidden", ""])
def test_an_index_cannot_name_files_elsewhere(backend: StorageBackend, tmp_path: Path, name: str) -> None:
    backend.write(b"x", f"trials/0123456789ab/{'0' * 64}")
    backend.write(json.dumps({name: "0" * 64}).encode(), "trials/0123456789ab/index.json")
    assert not Mirror(backend).bring(tmp_path / "trials" / "0123456789ab")
    assert list(tmp_path.rglob("escape")) == []


def test_a_storage_where_nobody_listens_is_one_sentence_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
    }.items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable, match="the storage s3://bucket/x fails") as away:
        StorageBackend("s3://bucket/x").read("a")
    assert time.monotonic() - began < BOUND_S
    assert len(str(away.value).splitlines()) == 1


def test_a_bucket_that_does_not_exist_is_one_sentence(s3: S3Server) -> None:
    del s3
    with pytest.raises(StorageUnavailable, match="s3://no-such-bucket/x"):
        StorageBackend("s3://no-such-bucket/x").write(b"x", "a")


@pytest.mark.parametrize("address", ["bucket/x", "ftp://host/x", "s3://", "memory://x"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UserError, match="s3://"):
        StorageBackend(address)
