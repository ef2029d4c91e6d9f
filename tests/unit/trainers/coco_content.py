"""Make annotation files in COCO's format that have no image files, with whatever ids, order and oddities a test wants."""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainers.schema import CocoDataset, CocoSplit

Content = dict[str, Any]
Number = Callable[[int], Any]
CLASSES = ("cat", "dog", "bird")
SIDES = (6.0, 20.0, 45.0, 110.0)  # small, small, medium, large


def content(seed: int = 0, images: int = 8) -> Content:
    """Return a plain file: ids from 1, areas of segmentations, some crowds, an image without boxes, a fourth category."""
    draw = random.Random(seed)
    annotations: list[Content] = []
    for image in range(1, images):
        for _ in range(draw.randint(1, 5)):
            side = draw.choice(SIDES)
            box = [draw.uniform(0, 200 - side), draw.uniform(0, 150 - side), side, side * 0.9]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": draw.randint(1, len(CLASSES) + 1),
                    "bbox": box,
                    "area": box[2] * box[3] * 0.7,
                    "iscrowd": int(draw.random() < 0.1),
                }
            )
    names = enumerate((*CLASSES, "cow"), start=1)
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 200, "height": 150} for n in range(1, images + 1)],
        "categories": [{"id": number, "name": name} for number, name in names],
        "annotations": annotations,
    }


def relabelled(found: Content, image: Number, annotation: Number, category: Number) -> Content:
    """Return the same content under other ids."""
    new = copy.deepcopy(found)
    for entry in new["images"]:
        entry["id"] = image(entry["id"])
    for entry in new["categories"]:
        entry["id"] = category(entry["id"])
    for entry in new["annotations"]:
        entry["id"] = annotation(entry["id"])
        entry["image_id"], entry["category_id"] = image(entry["image_id"]), category(entry["category_id"])
    return new


def write(root: Path, train: Content, val: Content | None = None, **settings: Any) -> CocoDataset:
    """Write the files of a dataset and return its section; ``val`` is ``train`` unless given."""
    root.mkdir(parents=True, exist_ok=True)
    for name, found in (("train", train), ("val", val or train)):
        (root / f"{name}.json").write_text(json.dumps(found))
    splits = {name: CocoSplit(annotations=f"{name}.json", images=".") for name in ("train", "val")}
    return CocoDataset(kind="coco", root=str(root), classes=CLASSES, image_size=(64, 64), **splits, **settings)


def boxes(data: Any) -> list[list[tuple[Any, ...]]]:
    """Return label, corners and ignore flag of the boxes that a dataset serves, image by image."""
    records = (data.get_data_info(index) for index in range(len(data)))
    return [[(i["bbox_label"], *i["bbox"], i["ignore_flag"]) for i in record["instances"]] for record in records]


def found_in(data: Any, seed: int = 0) -> list[tuple[int, list[Any]]]:
    """Return what a middling detector finds in each image: (index, [(label, corners, score)]), all scores different."""
    draw = random.Random(seed)
    found = []
    for index, items in enumerate(boxes(data)):
        answers = []
        for label, *corners, _ in items:
            for _ in range(draw.randint(0, 2)):
                moved = [corner + draw.gauss(0.0, 2.0) for corner in corners]
                answers.append((label if draw.random() < 0.8 else draw.randrange(len(CLASSES)), moved, draw.random()))
        found.append((index, answers))
    return found
