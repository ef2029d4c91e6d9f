"""Write annotations of MS COCO's size, or LVIS', with empty files in the place of pictures."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from trainers.schema import CocoDataset
from trainers.schema.class_names import COCO80
from trainers.schema.dataset import CocoSplit

SIDES = ((640, 480), (640, 427), (480, 640), (500, 375), (640, 640), (427, 640))
POINTS = 24  # of an outline; with them a file has about as many bytes as COCO's
ROWS = 20_000  # that are written at once


@dataclass(frozen=True)
class Extent:
    """Hold how much a data set holds: images and boxes to train on, images to evaluate on, classes."""

    images: int
    boxes: int
    evaluated: int
    classes: int


COCO = Extent(118_000, 860_000, 5_000, 80)
LVIS = Extent(100_000, 1_270_000, 19_800, 1203)


def write_data_set(root: Path, extent: Extent) -> CocoDataset:
    """Write a data set below ``root`` and return it; its boxes are drawn from a fixed seed."""
    names = COCO80 if extent.classes == len(COCO80) else tuple(f"class {n}" for n in range(1, extent.classes + 1))
    per_image = extent.boxes / extent.images
    splits = {"train": extent.images, "val": extent.evaluated}
    for seed, (split, images) in enumerate(splits.items()):
        folder = root / split
        folder.mkdir(parents=True)
        for number in range(1, images + 1):
            (folder / _name(number)).touch()
        with (root / f"{split}.json").open("w", encoding="utf-8") as stream:
            _write(stream, np.random.default_rng(seed), images, round(images * per_image), names)
    found = {split: CocoSplit(annotations=f"{split}.json", images=split) for split in splits}
    return CocoDataset(kind="coco", root=str(root), classes=names, **found)


def _name(number: int) -> str:
    return f"{number:012d}.jpg"


def _write(stream: TextIO, rng: np.random.Generator, images: int, boxes: int, names: tuple[str, ...]) -> None:
    sides = np.array(SIDES)[rng.integers(0, len(SIDES), images)]
    stream.write('{"info": {"description": "drawn"}, "licenses": [{"id": 1, "name": "none"}], "images": [')
    _write_rows(stream, _images(sides))
    stream.write('], "annotations": [')
    _write_rows(stream, _annotations(rng, sides, boxes, len(names)))
    categories = [{"id": number, "name": name, "supercategory": "thing"} for number, name in enumerate(names, 1)]
    stream.write(f'], "categories": {json.dumps(categories)}}}')


def _write_rows(stream: TextIO, rows: Iterator[dict[str, Any]]) -> None:
    for number, row in enumerate(rows):
        stream.write((", " if number else "") + json.dumps(row))


def _images(sides: Any) -> Iterator[dict[str, Any]]:
    for number, (width, height) in enumerate(sides.tolist(), start=1):
        address = f"http://images.example/{_name(number)}"
        extra = {"license": 1, "coco_url": address, "date_captured": "2013-11-14 17:02:52", "flickr_url": address}
        yield {"id": number, "file_name": _name(number), "width": width, "height": height, **extra}


def _annotations(rng: np.random.Generator, sides: Any, boxes: int, classes: int) -> Iterator[dict[str, Any]]:
    """Yield boxes of images in an order of chance, as COCO's file has them; a tenth of the images has none."""
    holders = rng.permutation(len(sides))[: max(1, round(len(sides) * 0.99))]
    for first in range(0, boxes, ROWS):
        count = min(ROWS, boxes - first)
        images = holders[rng.integers(0, len(holders), count)]
        size = np.exp(rng.uniform(np.log(0.02), np.log(0.9), (count, 2))) * sides[images]
        corner = rng.random((count, 2)) * (sides[images] - size)
        outline = (corner[:, None] + rng.random((count, POINTS, 2)) * size[:, None]).reshape(count, -1).round(2)
        rows = np.concatenate([corner, size], 1).round(2)
        labels, crowds = rng.integers(1, classes + 1, count), rng.random(count) < 0.01
        columns = (images + 1, labels, rows, outline, crowds)
        for offset, (image, label, box, points, crowd) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            yield {
                "segmentation": [points],
                "area": round(box[2] * box[3] * 0.6, 4),
                "iscrowd": int(crowd),
                "image_id": image,
                "bbox": box,
                "category_id": label,
                "id": first + offset + 1,
            }
