"""Boxes that never become objects are those that are read one by one, with the same counts; damage is told as before."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainers.coco_content import Content, content, relabelled, write
from tests.unit.trainers.schema.test_pieces import WRITERS, detailed
from trainers.data import annotated
from trainers.data.plain_samples import plain_samples
from trainers.data.samples import to_arrays
from trainers.errors import TrialError
from trainers.schema import CocoDataset
from trainers.schema.annotations import SplitName, pieces
from trainers.schema.annotations.pieces import NotPlain

SPLITS: tuple[SplitName, ...] = ("train", "val")
OUTLINES: list[Any] = [
    [[1, 2.5, 3e2, -4]],
    [],
    {"size": [3, 4], "counts": [1, 2]},
    {"size": [3, 4], "counts": "a:b"},
    None,
]


def plain(seed: int) -> Content:
    """Return content without anything odd: whole numbers and fractions, crowds, boxes on, over and far beyond the edge."""
    draw = random.Random(seed)
    found = content(seed, images=40)
    for entry in found["annotations"]:
        entry["segmentation"] = draw.choice(OUTLINES)
        entry["area"] = draw.choice([entry["area"], 7, 0.1 + 0.2, 1e90])
        entry["bbox"] = draw.choice([
            entry["bbox"], list(map(round, entry["bbox"])), [150, 100, 50, 50], [150.0, 100, 50.1, 50], [-3, 0, 10, 9], [300, 0, 5, 5],
            [0, -0.0, 0, 4], [1, 1, 0.9, 9], [-5, -5, 5, 9], [-5, -0, 6, 9],
        ])  # fmt: skip
        entry["iscrowd"] = draw.choice([0, 0, 0, 1, None])
    for entry in found["images"]:
        entry["height"] = draw.choice([150, 150.0, 150.5, 20])
        entry["coco_url"] = "http://images.example/1.jpg"
    draw.shuffle(found["annotations"])
    draw.shuffle(found["images"])
    step = draw.choice([1, 7, 10**9])  # ids close together, or far apart
    return relabelled(found, image=lambda n: n * step - 1, annotation=lambda n: n * step, category=lambda n: n * step)


def outcome(read: Any, spec: CocoDataset, split: SplitName) -> str:
    """Return all that is read, to the last bit, or why nothing is."""
    try:
        found = read(spec, split)
    except TrialError as error:
        return str(error)
    arrays = {name: (array.dtype, array.tobytes()) for name, array in to_arrays(found.samples).items()}
    return repr((found.usage, list(found.usage.left_out), sorted(found.listings), arrays))


@pytest.mark.parametrize("block", [500, 1 << 20])
@pytest.mark.parametrize("writer", WRITERS)
def test_arrays_are_what_the_boxes_are(
    writer: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "BLOCK", block)
    for seed in range(3):
        for settings in ({}, {"keep_empty": True}, {"min_side": 1}):
            spec = write(tmp_path, content()).model_copy(update=settings)
            (tmp_path / "train.json").write_bytes(WRITERS[writer](plain(seed)))
            (tmp_path / "val.json").write_bytes(WRITERS[writer](plain(seed + 10)))
            for split in SPLITS:
                assert outcome(plain_samples, spec, split) == outcome(annotated._read_boxes, spec, split)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_odd_or_damaged_is_told_as_before(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr(pieces, "BLOCK", draw.choice([50, 500, 5000]))
    spec, path = write(tmp_path, content()), tmp_path / "train.json"
    good = WRITERS[draw.choice(list(WRITERS))](plain(seed) if seed % 2 else detailed(seed))
    for _ in range(60):
        found = bytearray(good)
        for _ in range(draw.randint(0, 2)):
            place = draw.randrange(len(found))
            found[place : place + draw.randint(0, 1)] = draw.choice(
                [b"]", b"}", b"[", b"{", b",", b"0", b".", b'"', b"", b"e", b"-", b"\xff", b":", b'"id": 1,']
            )
        path.write_bytes(found)
        assert outcome(annotated._read, spec, "train") == outcome(annotated._read_boxes, spec, "train")


ODD: dict[str, Content] = {
    "an id twice": {"id": 1},
    "an unknown image": {"image_id": 99},
    "an unknown category": {"category_id": 99},
    "no area": {"area": 0},
    "a number that no float holds": {"bbox": [1, 2, 2**60 + 1, 3]},
    "an id that is text": {"image_id": "1"},
    "a true side": {"bbox": [1, 2, True, 4]},
    "an ignored box": {"ignore": 1},
}


@pytest.mark.parametrize("odd", ODD)
def test_a_closer_look_is_left_to_the_other_reader(odd: str, tmp_path: Path) -> None:
    found = content()
    found["annotations"][-1].update(ODD[odd])
    with pytest.raises(NotPlain):
        plain_samples(write(tmp_path, found), "train")


def test_a_key_that_an_entry_has_twice_is_seen(tmp_path: Path) -> None:
    """The quick parser keeps the last in silence."""
    spec, path = write(tmp_path, content()), tmp_path / "train.json"
    text = path.read_text()
    for double in (
        '"area": 3, "area"',
        '"segmentation": {"a": 1, "a": 2}, "area"',
        '"note": "a", "note" : "b", "area"',
    ):
        path.write_text(text.replace('"area"', double, 1))
        with pytest.raises(NotPlain):
            plain_samples(spec, "train")
    path.write_text(text.replace('"area"', '"note": "one: two, three\\": four", "area"'))
    assert outcome(plain_samples, spec, "train") == outcome(annotated._read_boxes, spec, "train")
