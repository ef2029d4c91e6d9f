"""Write a small dataset in COCO's layout."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from trainers.schema import CocoDataset, CocoSplit

CLASSES = ("cat", "dog")


def write_coco_folder(root: Path, sizes: Sequence[tuple[int, int]]) -> CocoDataset:
    """Write one noisy image of each size (width, height) with one box; the images serve as both splits."""
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index, (width, height) in enumerate(sizes):
        cv2.imwrite(str(root / "images" / f"{index}.png"), rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    (root / "annotations.json").write_text(json.dumps(_annotations(sizes)))
    split = CocoSplit(annotations="annotations.json", images="images")
    return CocoDataset(kind="coco", root=str(root), train=split, val=split, classes=CLASSES, image_size=(64, 64))


def _annotations(sizes: Sequence[tuple[int, int]]) -> dict[str, object]:
    images = [{"id": n, "file_name": f"{n}.png", "width": w, "height": h} for n, (w, h) in enumerate(sizes)]
    boxes = [[4.0, 6.0, width / 2 - 4.0, height / 2 - 6.0] for width, height in sizes]
    annotations = [
        {"id": n + 1, "image_id": n, "category_id": 1 + n % 2, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for n, box in enumerate(boxes)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}
