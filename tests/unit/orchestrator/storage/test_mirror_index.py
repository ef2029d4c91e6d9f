"""A mirror's index is foreign text: anything but names and digests counts as no index."""

import json
from pathlib import Path

import pytest

from orchestrator.storage.backend import StorageBackend
from orchestrator.storage.mirror import NOT_COPIED, Mirror, files_of, parsed
from orchestrator.submit.record import JobRecords
from tests.unit.noted_disk import NotedDisk

DIGEST = "0" * 64
PATHS_OUT = [
    "../x",
    "..",
    ".",
    "/etc/passwd",
    "a/../../b",
    "a/b",
    "./a",
    ".hidden",
    "",
    "a\n",
    "a\0b",
    "~",
    "-" + "a",
    "a" * 129,
]


@pytest.mark.parametrize("content", [b"[" * 5000, b"[" * 5000 + b"]" * 5000, b"9" * 5000, b"[]", b"\xff", b""])
def test_what_is_no_index_lists_nothing(content):
    assert parsed(content) == {}


def test_names_that_lead_elsewhere_are_left_out():
    content = f'{{"last.pth": "{DIGEST}", "../x": "{DIGEST}", "a": "b", "c": [[]]}}'
    assert parsed(content.encode()) == {"last.pth": DIGEST}


@pytest.mark.parametrize("content", ["[" * 5000, "{}", '{"state": "running"}', '{"state": [[]]}', "9" * 5000])
def test_a_submission_record_of_another_shape_is_none(tmp_path, content):
    records = JobRecords(tmp_path)
    records.folder.mkdir()
    (records.folder / "stillhouse-000000000000-1.json").write_text(content)
    assert records.read("stillhouse-000000000000-1") is None


@pytest.mark.parametrize("name", PATHS_OUT)
def test_every_kind_of_path_that_is_no_plain_name_is_left_out(name):
    assert parsed(json.dumps({name: DIGEST, "last.pth": DIGEST}).encode()) == {"last.pth": DIGEST}


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "G" * 64, "../" + "0" * 61, "A" * 64, "0" * 64 + "\n"])
def test_a_digest_that_is_none_is_left_out(digest):
    assert parsed(json.dumps({"last.pth": digest}).encode()) == {}


def trial(folder: Path) -> Path:
    """Write a trial's directory with files of every kind."""
    folder.mkdir(parents=True)
    for name in ("best.pth", "outcome.json", "zoo.txt", *NOT_COPIED, ".history.jsonl.partial"):
        (folder / name).write_text(name)
    (folder / "below").mkdir()
    return folder


def test_files_for_running_processes_hidden_ones_and_folders_are_not_copied(tmp_path):
    assert [path.name for path in files_of(trial(tmp_path / "t"))] == ["best.pth", "outcome.json", "zoo.txt"]


def test_a_trial_that_comes_back_is_on_disk_before_its_name_is_and_its_outcome_comes_last(tmp_path, monkeypatch):
    store = f"file://{tmp_path / 'mirror'}"
    Mirror(StorageBackend(store)).keep(trial(tmp_path / "here" / "t"))
    disk = NotedDisk(tmp_path / "there", monkeypatch)
    assert Mirror(StorageBackend(store)).bring(tmp_path / "there" / "t")
    done = disk.take()
    assert done[-4:] == [
        "rename .t.arriving/.outcome.json.partial .t.arriving/outcome.json",
        "flush .t.arriving/",
        "rename .t.arriving t",
        "flush ./",
    ]
    for name in ("best.pth", "outcome.json", "zoo.txt"):
        flushed = f"flush .t.arriving/.{name}.partial"
        assert done.index(flushed) < done.index(f"rename .t.arriving/.{name}.partial .t.arriving/{name}")
    assert not Mirror(StorageBackend(store)).bring(tmp_path / "there" / "t"), "it is here already"
    assert not Mirror(StorageBackend(store)).bring(tmp_path / "there" / "other"), "no copy was ever made"
