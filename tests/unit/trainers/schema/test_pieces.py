"""A file that is read piece by piece, and boxes that are taken many at once, give what the whole file gives entry by entry."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.scores import odd_coco
from tests.unit.trainers.coco_content import CLASSES, Content, content, write
from trainers.schema.annotations import AnnotatedSplit, coco, pieces, read_split
from trainers.schema.annotations.json_file import read_json
from trainers.schema.annotations.pieces import NotPlain, Pieces, read_pieces
from trainers.schema.annotations.plain_boxes import PlainBoxes

Writer = Callable[[Any], bytes]
OUTLINES: list[Any] = [
    [[1, 2.5, 3e2, -4]],
    [[1.5, 2], [3, 4.25]],
    [],
    [[]],
    {"size": [3, 4], "counts": [1, 2]},
    None,
    "none",
]


def detailed(seed: int, *, tricky: bool = True) -> Content:
    """Return content with outlines and texts of all kinds, and a few odd entries; ``tricky`` texts look like JSON."""
    draw = random.Random(seed)
    found = content(seed, images=12)
    for entry in found["annotations"]:
        entry["segmentation"] = draw.choice(OUTLINES)
        if draw.random() < 0.1:
            entry.update(draw.choice([
                {"bbox": [1, 2, 3]}, {"bbox": [1, 2, float("nan"), 3]}, {"area": 0}, {"ignore": 1}, {"iscrowd": None}, {"id": "text"},
                {"id": True}, {"iscrowd": 2}, {"bbox": [1, 2, True, 4]}, {"image_id": 99}, {"bbox": [-5, -5, 3, 3]}, {"id": 2**62},
                {"bbox": [1e308, 0, 1e308, 1]}, {"category_id": 4, "bbox": None}, {"area": 10**400}, {"id": 1}, {"image_id": True},
            ]))  # fmt: skip
    notes: list[Any] = ["}, {", "}]", {"a": [{"b": 1}, {"c": []}]}] if tricky else ["plain", 7]
    for entry in found["images"]:
        entry["note"] = draw.choice([*notes, '"segmentation": [[1, 2]]', 'ü \\ "', [1, 2]])
        entry["file_name"] = draw.choice([entry["file_name"], "bär, {1}.png", "a}] .png" if tricky else "a].png"])
    return {"info": {"year": 2017, "text": "}], {"}, **found, "licenses": [], "more": 12.5}


WRITERS: dict[str, Writer] = {
    "plain": lambda value: json.dumps(value).encode(),
    "tight": lambda value: json.dumps(value, separators=(",", ":")).encode(),
    "indented": lambda value: json.dumps(value, indent=1, ensure_ascii=False).encode(),
    "categories first": lambda value: json.dumps(dict(reversed(value.items()))).encode(),
    "with a mark": lambda value: b"\xef\xbb\xbf" + json.dumps(value, ensure_ascii=False).encode() + b"\n",
    "wide": lambda value: json.dumps(value, separators=(" ,\r\n ", " :\t")).encode(),
}


def test_a_file_of_many_keys_is_read_as_a_whole(tmp_path: Path) -> None:
    """Each key costs a copy of up to four megabytes, and a file has room for a billion."""
    path = tmp_path / "annotations.json"
    lists = {"images": [], "annotations": [], "categories": []}
    for more in (97, 98):
        path.write_text(json.dumps(lists | {f"key {number}": 0 for number in range(more)}))
        if more == 97:
            assert set(read_pieces(path)) > set(lists)
        else:
            with pytest.raises(NotPlain):
                read_pieces(path)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], AnnotatedSplit]:
    """Return a reader that reads a file as a whole and entry by entry."""

    def refused(*_: object) -> Any:
        raise NotPlain

    def read(spec: Any) -> AnnotatedSplit:
        with monkeypatch.context() as patched:
            patched.setattr(coco, "read_pieces", refused)
            patched.setattr(PlainBoxes, "add", lambda *_: False)
            return read_split(spec, "train")

    return read


@pytest.mark.parametrize("block", [1, 97, 4096, 1 << 20])
@pytest.mark.parametrize("writer", WRITERS)
def test_pieces_are_the_files_content(
    writer: str, block: int, tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "BLOCK", block)
    spec, path = write(tmp_path, content()), tmp_path / "train.json"
    for seed in range(4):
        path.write_bytes(WRITERS[writer](detailed(seed)))
        assert repr(read_split(spec, "train")) == repr(whole(spec))
        path.write_bytes(WRITERS[writer](detailed(seed, tricky=False)))
        assert repr(read_split(spec, "train")) == repr(whole(spec))
        parts, all_of_it = read_pieces(path), read_json(path)
        parts["annotations"] = parts["annotations"].whole()
        for entry in (*parts["annotations"], *all_of_it["annotations"]):
            if isinstance(entry["segmentation"], list):
                entry["segmentation"] = 0  # no reader needs an outline
        for key in ("images", "annotations", "categories"):
            assert repr(parts[key]) == repr(all_of_it[key])


@pytest.mark.parametrize("odd", odd_coco.TABLE.rows, ids=str)
def test_odd_data_sets(odd: Any, tmp_path: Path, whole: Any) -> None:
    spec = odd.make(tmp_path).spec
    assert repr(read_split(spec, "train")) == repr(whole(spec))


@pytest.mark.parametrize("seed", range(8))
def test_damage_is_told_as_before(seed: int, tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr(pieces, "BLOCK", draw.choice([50, 500, 5000]))
    spec, path = write(tmp_path, content()), tmp_path / "train.json"
    good = WRITERS[draw.choice(list(WRITERS))](detailed(seed))
    for _ in range(60):
        found = bytearray(good)
        for _ in range(draw.randint(1, 2)):
            place = draw.randrange(len(found))
            found[place : place + draw.randint(0, 1)] = draw.choice(
                [b"]", b"}", b"[", b"{", b",", b"0", b".", b'"', b"", b"e", b"-", b"\xff"]
            )
        path.write_bytes(found)
        assert repr(read_split(spec, "train")) == repr(whole(spec))


OBJECT = b'{"images": [%b], "annotations": [%b], "categories": [%b]}'
TEXTS = {
    "nothing": b"",
    "no object": b"[]",
    "an empty object": b"{}",
    "empty lists": OBJECT % (b"", b" ", b"\n"),
    "a list twice": b'{"images": [], "images": [{"id": 1}]}',
    "a key twice": OBJECT % (b'{"id": 1, "id": 2, "file_name": "a"}', b"", b""),
    "an outline twice": OBJECT % (b"", b'{"id": 1, "segmentation": [[1]], "segmentation": [[2]]}', b""),
    "no outline": OBJECT % (b"", b'{"id": 1, "segmentation": [[1.2.3]]}', b""),
    "an outline in an outline": OBJECT % (b"", b'{"id": 1, "segmentation": [[[1, 2]]]}', b""),
    "outlines that are one together": OBJECT
    % (
        b"",
        b'{"id": 1, "segmentation": [[1]}, {"id": 2, "segmentation": [2]],[3]}',
        b"",
    ),
    "a leading zero": OBJECT % (b"", b'{"id": 1, "segmentation": [[01]]}', b""),
    "too large for a float": OBJECT % (b"", b'{"id": 1, "segmentation": [[1e999, 1]]}', b""),
    "more behind it": OBJECT % (b"", b"", b"") + b" {}",
    "numbers for entries": OBJECT % (b"1, 2", b"[], null", b'"a"'),
    "no lists": b'{"images": {}, "annotations": 3, "categories": null}',
    "UTF-16": '{"images": []}'.encode("utf-16"),
    "an escaped key": b'{"im\\u0061ges": [], "annotations": [], "categories": []}',
    "cut": b'{"images": [{"id": 1}, {"id": 2}',
    "a comma at the end": OBJECT % (b'{"id": 1},', b"", b""),
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("block", [1, 5, 1 << 20])
def test_small_texts(text: str, block: int, tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "BLOCK", block)
    spec = write(tmp_path, content())
    (tmp_path / "train.json").write_bytes(TEXTS[text])
    assert repr(read_split(spec, "train")) == repr(whole(spec))


def test_a_usual_file_is_taken_in_pieces_and_its_boxes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "BLOCK", 4096)
    spec = write(tmp_path, content(images=100))
    found = read_pieces(tmp_path / "train.json")["annotations"]
    assert isinstance(found, Pieces)
    assert len(list(found)) > 5

    def entry_by_entry(*_: object) -> None:
        raise AssertionError("nothing is odd here")

    monkeypatch.setattr("trainers.schema.annotations.coco._CocoReader._annotation", entry_by_entry)
    split = read_split(spec, "train")
    assert {box.label for image in split.images for box in image.boxes} == set(range(len(CLASSES)))
    assert split.others["cow"]
