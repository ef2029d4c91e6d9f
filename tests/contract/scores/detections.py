"""Make detections of a known truth: perfect ones, and others whose scores are worth comparing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.contract.scores.odd_data import Truth

Row = tuple[int, int, float, float, float, float, float]  # image, category, x1, y1, x2, y2, score


def kinds(truth: Truth) -> dict[str, list[Row]]:
    """Return lists of detections by name; scores are distinct, so that their order is never a matter of chance."""
    perfect = [_row(box) for box in truth["annotations"] if not box["iscrowd"]]
    return {
        "perfect": _scored(perfect),
        "shifted": _scored(_shifted(row, number) for number, row in enumerate(perfect)),
        "missing": _scored(row for number, row in enumerate(perfect) if number % 3 != 1),
        "doubled and wrong": _scored([*_wrong(perfect, truth), *perfect, *_inside_crowds(truth)]),
    }


def as_coco(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return detections in the form of COCO's results."""
    return [
        {"image_id": image, "category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        for image, category, x1, y1, x2, y2, score in rows
    ]


def by_file(rows: Iterable[Row], truth: Truth) -> dict[Path, list[Any]]:
    """Return detections as (x1, y1, x2, y2, score, label) of each image's file."""
    files = {image["id"]: image["file"] for image in truth["images"]}
    found: dict[Path, list[Any]] = {file: [] for file in files.values()}
    for image, category, *rest in rows:
        found[files[image]].append([*rest, category - 1])
    return found


def _row(box: dict[str, Any], share: float = 1.0) -> Row:
    x, y, width, height = box["bbox"]
    return box["image_id"], box["category_id"], x, y, x + width * share, y + height * share, 0.0


def _shifted(row: Row, number: int) -> Row:
    image, category, x1, y1, x2, y2, score = row
    x = (x2 - x1) * (0.013 + 0.0371 * (number % 8))
    y = (y2 - y1) * (0.011 + 0.0173 * (number % 5))
    return image, category, x1 + x, y1 + y, x2 + x, y2 + y, score


def _wrong(rows: list[Row], truth: Truth) -> Iterable[Row]:
    """Yield some objects as another class, some twice, and some that are not there."""
    classes = len(truth["categories"])
    for number, (image, category, *box) in enumerate(rows):
        if number % 4 == 1:
            yield image, category % classes + 1, *box
        if number % 4 == 2:
            yield _shifted((image, category, *box), number)
        if number % 4 == 3:
            yield image, category, 1.0, 1.0, 9.0 + number, 40.0, 0.0


def _inside_crowds(truth: Truth) -> list[Row]:
    return [_row(box, share=0.6) for box in truth["annotations"] if box["iscrowd"]]


def _scored(rows: Iterable[Row]) -> list[Row]:
    """Give distinct scores in an order of no meaning, and round to what a detector's numbers can hold."""
    listed = list(rows)
    order = np.random.default_rng(5).permutation(len(listed))
    scores = np.float32(0.05) + np.float32(0.9) * (order + 1).astype(np.float32) / (len(listed) + 1)
    return [
        (row[0], row[1], *map(float, np.float32(row[2:6])), float(score))
        for row, score in zip(listed, scores, strict=True)
    ]
