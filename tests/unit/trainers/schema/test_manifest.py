"""A manifest comes back as it was written, and any other file in its place is told from it."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainers.schema.manifest import (
    LARGEST_MANIFEST,
    MANIFEST,
    Manifest,
    ManifestEntry,
    entry_of,
    read_manifest,
    require_whole,
    write_manifest,
)
from trainers.schema.record import BEST, LAST, DamagedFile, Outcome, write_outcome

STATE = {"file": "resume-2.pt", "step": 2, "size": 3, "sha256": "ab"}
WHOLE = {"format": 1, "states": [STATE], "students": {BEST: {**STATE, "file": BEST}}}


def write(directory: Path, content: Any) -> None:
    (directory / MANIFEST).write_text(json.dumps(content))


def test_a_manifest_is_read_back(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    manifest = Manifest((ManifestEntry("a.pt", 4, 5, "ab"), ManifestEntry("b.pt", 2, 6, "cd")))
    manifest = manifest.with_student(ManifestEntry(BEST, 2, 1, "ef")).with_student(ManifestEntry(LAST, 4, 2, "gh"))
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert list(manifest.with_student(ManifestEntry(BEST, 9, 9, "ij")).students) == [BEST, LAST]
    assert list(manifest.without_student(BEST).students) == [LAST]


def test_a_manifest_of_this_format_is_read(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    assert read_manifest(tmp_path) == Manifest(
        (ManifestEntry("resume-2.pt", 2, 3, "ab"),), {BEST: ManifestEntry(BEST, 2, 3, "ab")}
    )


@pytest.mark.parametrize("found", [0, 2, "1", None])
def test_a_manifest_of_another_format_names_both(found: object, tmp_path: Path) -> None:
    write(tmp_path, {**WHOLE, "format": found})
    with pytest.raises(DamagedFile, match=f"manifest.json has format {found}, this release reads 1"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        [],
        1,
        {},
        *({key: value for key, value in WHOLE.items() if key != left_out} for left_out in WHOLE),
        *({**WHOLE, "states": [{**STATE, key: None}]} for key in ("step", "size")),
        *({**WHOLE, "states": [{k: v for k, v in STATE.items() if k != key}]} for key in STATE),
        *({**WHOLE, "states": [{**STATE, "file": name}]} for name in ("..", "../a", "/a", "a/b")),
        {**WHOLE, "states": [{**STATE, "step": "two"}]},
        {**WHOLE, "students": []},
    ],
)
def test_json_of_another_shape_is_a_damaged_manifest(content: Any, tmp_path: Path) -> None:
    write(tmp_path, content)
    with pytest.raises(DamagedFile, match=r"manifest\.json is damaged"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "\0", " " * (LARGEST_MANIFEST + 1)], ids=["empty", "cut", "zero", "long"])
def test_no_json_is_a_damaged_manifest(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(DamagedFile, match=r"manifest\.json is damaged"):
        read_manifest(tmp_path)


def test_an_entry_describes_the_very_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"abc")
    entry = entry_of(path, 7)
    assert (entry.file, entry.step, entry.size) == ("a.pt", 7, 3)
    assert entry.describes(tmp_path)
    for content in (b"abx", b"ab", b"abcd", b""):
        path.write_bytes(content)
        assert not entry.describes(tmp_path)
    path.unlink()
    assert not entry.describes(tmp_path)


@pytest.mark.parametrize("name", [BEST, LAST])
def test_the_student_of_a_trial_that_has_ended_is_the_one_in_its_manifest(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    require_whole(path)  # not there
    path.write_bytes(b"abc")
    write_manifest(tmp_path, Manifest())
    require_whole(path)  # its trial may be about to write it
    write_outcome(tmp_path, Outcome("finished"))
    with pytest.raises(DamagedFile, match=r"is not the student that its trial ended with: delete .* and run again"):
        require_whole(path)
    write_manifest(tmp_path, Manifest().with_student(entry_of(path, 1)))
    require_whole(path)
    path.write_bytes(b"abx")
    with pytest.raises(DamagedFile, match=r"is damaged, its SHA-256 has changed: delete .* and run again"):
        require_whole(path)
    (tmp_path / MANIFEST).unlink()
    require_whole(path)
