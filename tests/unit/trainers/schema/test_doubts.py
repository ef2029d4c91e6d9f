"""Content that can be trained on and usually is a mistake is noted once, and ordinary content is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainers.voc_folder import CLASSES, SOME, write_part, xml
from trainers.schema import CocoDataset, CocoSplit, VocDataset, VocPart
from trainers.schema.annotations import kinds, read_split
from trainers.schema.annotations.kinds import OddityKind

BOX = [4.0, 4.0, 20.0, 10.0]


def coco(folder: Path, boxes: list[tuple[int, int, list[float]]]) -> CocoDataset:
    """Write one split of two images with (image, category, bbox) for each annotation."""
    images = [{"id": number, "file_name": f"{number}.png", "width": 64, "height": 48} for number in (1, 2)]
    annotations = [
        {"id": number, "image_id": image, "category_id": category, "bbox": bbox, "area": bbox[2] * bbox[3]}
        for number, (image, category, bbox) in enumerate(boxes, start=1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, start=1)]
    (folder / "a.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    split = CocoSplit(annotations="a.json", images=".")
    return CocoDataset(kind="coco", root=str(folder), train=split, val=split, classes=CLASSES)


def doubts(dataset: Any) -> dict[OddityKind, int]:
    counts = read_split(dataset, "train").notes.counts
    return {kind: counts[kind] for kind in (*kinds.DOUBTFUL, kinds.DUPLICATE_IMAGES) if counts[kind]}


@pytest.mark.parametrize(
    ("boxes", "wanted"),
    [
        ([(1, 1, BOX), (1, 1, BOX), (1, 1, BOX), (2, 1, BOX)], {kinds.REPEATED_BOXES: 2}),
        ([(1, 1, BOX), (1, 2, BOX), (2, 1, BOX)], {}),  # of another class, or in another image
        ([(1, 1, [0.1, 0.2, 0.5, 0.25]), (2, 2, [0.0, 0.0, 1.0, 1.0])], {kinds.FRACTIONS: 1}),
        ([(1, 1, [0.1, 0.2, 0.5, 0.25]), (2, 2, BOX)], {}),
        ([], {}),
    ],
)
def test_coco_files(boxes: list[tuple[int, int, list[float]]], wanted: dict[OddityKind, int], tmp_path: Path) -> None:
    assert doubts(coco(tmp_path, boxes)) == wanted


def voc(folder: Path, parts: tuple[VocPart, ...], first_pixel: Any = 1) -> VocDataset:
    return VocDataset(kind="voc", root=str(folder), train=parts, val=parts, classes=CLASSES, first_pixel=first_pixel)


def test_an_image_that_a_list_names_twice_stops(tmp_path: Path) -> None:
    part = VocPart(folder="V", set="train")
    write_part(tmp_path, part, {"x": xml(SOME)})
    (tmp_path / "V" / "ImageSets" / "Main" / "train.txt").write_text("x\nx\n")
    assert doubts(voc(tmp_path, (part,))) == {kinds.DUPLICATE_IMAGES: 1}


def test_parts_that_share_images_are_noted(tmp_path: Path) -> None:
    first, second = VocPart(folder="V", set="train"), VocPart(folder="V", set="more")
    write_part(tmp_path, first, {"x": xml(SOME), "y": xml(SOME)})
    write_part(tmp_path, second, {"y": xml(SOME), "z": xml(SOME)})
    found = voc(tmp_path, (first, second))
    assert doubts(found) == {kinds.SHARED_FILES: 1}
    assert doubts(voc(tmp_path, (first,))) == {}


@pytest.mark.parametrize(("first_pixel", "wanted"), [(1, {kinds.AT_ZERO: 1}), (0, {})])
def test_a_corner_at_0_asks_for_the_first_pixel(
    first_pixel: int, wanted: dict[OddityKind, int], tmp_path: Path
) -> None:
    part = VocPart(folder="V", set="train")
    write_part(tmp_path, part, {"x": xml([("cat", (0, 7, 32, 24), 0), ("dog", (11, 13, 40, 30), 0)])})
    found = voc(tmp_path, (part,), first_pixel)
    assert doubts(found) == wanted
    if wanted:
        assert "first_pixel: 0" in read_split(found, "train").notes.told[kinds.AT_ZERO][0].message
