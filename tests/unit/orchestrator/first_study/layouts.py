"""Write one small dataset in the layouts that labelling tools and their exports have."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.unit.trainers.voc_folder import xml

CLASSES = ("bolt", "nut")
WIDE, HIGH = 64, 48
BOXES = {0: (8, 12, 32, 24), 1: (16, 6, 48, 42)}  # corners, by class
COUNT, EMPTY = 20, (12, 17)
Layout = Callable[[Path], None]


def held(number: int) -> Sequence[int]:
    """Return the classes that an image holds: two images hold none."""
    return () if number in EMPTY else (0,) if number % 3 else (0, 1)


def image(path: Path, number: int) -> None:
    """Write an image that no other one equals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (HIGH, WIDE, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)


def text(path: Path, content: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def coco(numbers: Sequence[int], name: Callable[[int], str], first_category: int = 0) -> str:
    """Return COCO JSON, with ids from 0 as Roboflow writes them."""
    boxes = [(number, label) for number in numbers for label in held(number)]
    return json.dumps(
        {
            "images": [{"id": n, "file_name": name(n), "width": WIDE, "height": HIGH} for n in numbers],
            "annotations": [
                {
                    "id": key,
                    "image_id": number,
                    "category_id": label + first_category,
                    "bbox": _sides(label),
                    "iscrowd": 0,
                }
                for key, (number, label) in enumerate(boxes)
            ],
            "categories": [{"id": label + first_category, "name": called} for label, called in enumerate(CLASSES)],
        }
    )


def _sides(label: int) -> list[float]:
    x1, y1, x2, y2 = BOXES[label]
    return [x1, y1, x2 - x1, y2 - y1]


def yolo(number: int) -> str:
    """Return an image's lines in YOLO's format."""
    return "".join(f"{label} {_share(BOXES[label])}\n" for label in held(number))


def _share(box: tuple[int, int, int, int]) -> str:
    x1, y1, x2, y2 = box
    return f"{(x1 + x2) / 2 / WIDE} {(y1 + y2) / 2 / HIGH} {(x2 - x1) / WIDE} {(y2 - y1) / HIGH}"


def voc(number: int) -> str:
    """Return an image's XML, as labelImg writes it: pixels counted from 0."""
    return xml([(CLASSES[label], BOXES[label], 0) for label in held(number)], (WIDE, HIGH), f"{number}.jpg")


def parts() -> Iterator[tuple[str, range]]:
    """Yield the names that exports give to splits, each with its images."""
    yield from (("train", range(14)), ("valid", range(14, 18)), ("test", range(18, 20)))


def roboflow_coco(root: Path) -> None:
    for part, numbers in parts():
        for number in numbers:
            image(root / part / f"{number}.jpg", number)
        text(root / part / "_annotations.coco.json", coco(numbers, lambda n: f"{n}.jpg"))


def label_studio_coco(root: Path) -> None:
    for number in range(COUNT):
        image(root / "images" / f"{number}.jpg", number)
    text(root / "result.json", coco(range(COUNT), lambda n: f"images/{n}.jpg"))


def coco_with_repeated_names(root: Path, below: str = "day 1") -> None:
    """Name the images of both splits alike; annotations name them with the folder ``below`` that of their split."""
    for part, first, count in (("train", 0, 14), ("val", 14, 6)):
        for number in range(count):
            image(root / part / below / f"{number}.jpg", first + number)
        numbers = range(first, first + count)
        text(root / "labels" / f"{part}.json", coco(numbers, lambda n, first=first: f"{below}/{n - first}.jpg"))


def labelme_coco(root: Path) -> None:
    for number in range(COUNT):
        image(root / "JPEGImages" / f"{number}.jpg", number)
    text(root / "annotations.json", coco(range(COUNT), lambda n: f"JPEGImages/{n}.jpg", first_category=1))


def coco_of_the_task(root: Path) -> None:
    for part, numbers in (("train2017", range(14)), ("val2017", range(14, 20))):
        for number in numbers:
            image(root / part / f"{number}.jpg", number)
        text(root / "annotations" / f"instances_{part}.json", coco(numbers, lambda n: f"{n}.jpg", first_category=1))
        text(
            root / "annotations" / f"captions_{part}.json",
            json.dumps({"images": [], "annotations": [{"caption": "a"}]}),
        )


def labelimg_voc(root: Path) -> None:
    for number in range(COUNT):
        image(root / f"{number}.jpg", number)
        text(root / f"{number}.xml", voc(number))


def voc_in_two_folders(root: Path) -> None:
    for number in range(COUNT):
        image(root / "photos" / f"{number}.jpg", number)
        text(root / "xml" / f"{number}.xml", voc(number))


def cvat_voc(root: Path) -> None:
    for number in range(COUNT):
        image(root / "JPEGImages" / f"{number}.jpg", number)
        text(root / "Annotations" / f"{number}.xml", voc(number))
    text(root / "ImageSets" / "Main" / "train.txt", "".join(f"{number}\n" for number in range(14)))
    text(root / "ImageSets" / "Main" / "val.txt", "".join(f"{number}\n" for number in range(14, COUNT)))
    text(root / "ImageSets" / "Main" / "bolt_train.txt", "".join(f"{number} 1\n" for number in range(14)))


def roboflow_voc(root: Path) -> None:
    for part, numbers in parts():
        for number in numbers:
            image(root / part / f"{number}.jpg", number)
            text(root / part / f"{number}.xml", voc(number))


def ultralytics_yolo(root: Path) -> None:
    for part, numbers in (("train", range(14)), ("val", range(14, COUNT))):
        for number in numbers:
            image(root / "images" / part / f"{number}.jpg", number)
            text(root / "labels" / part / f"{number}.txt", yolo(number))
    text(
        root / "data.yaml",
        "path: ../datasets/bolts\ntrain: images/train\nval: images/val\nnames:\n  0: bolt\n  1: nut\n",
    )


def undivided_yolo(root: Path) -> None:
    """Name one folder for training and validation, as for data that nobody has divided."""
    for number in range(COUNT):
        image(root / "images" / f"{number}.jpg", number)
        text(root / "labels" / f"{number}.txt", yolo(number))
    text(root / "data.yaml", "path: .\ntrain: images\nval: images\nnames: [bolt, nut]\n")


def roboflow_yolo(root: Path) -> None:
    for part, numbers in parts():
        for number in numbers:
            image(root / part / "images" / f"{number}.jpg", number)
            text(root / part / "labels" / f"{number}.txt", yolo(number))
    places = "".join(
        f"{key}: ../{part}/images\n" for key, part in (("train", "train"), ("val", "valid"), ("test", "test"))
    )
    text(root / "data.yaml", f"{places}\nnc: 2\nnames: ['bolt', 'nut']\n\nroboflow:\n  workspace: somebody\n")


def labelimg_yolo(root: Path) -> None:
    for number in range(COUNT):
        image(root / f"{number}.jpg", number)
        text(root / f"{number}.txt", yolo(number))
    text(root / "classes.txt", "bolt\nnut\n")


def label_studio_yolo(root: Path) -> None:
    for number in range(COUNT):
        image(root / "images" / f"{number}.jpg", number)
        text(root / "labels" / f"{number}.txt", yolo(number))
    text(root / "classes.txt", "bolt\nnut\n")
    text(root / "notes.json", json.dumps({"categories": [{"id": 0, "name": "bolt"}], "info": {}}))


LAYOUTS: dict[str, tuple[Layout, str, dict[str, int]]] = {  # images of each split, before anything is divided
    "Roboflow's COCO": (roboflow_coco, "coco", {"train": 14, "val": 4, "test": 2}),
    "Label Studio's COCO": (label_studio_coco, "coco", {"train": 20}),
    "labelme's COCO": (labelme_coco, "coco", {"train": 20}),
    "COCO's with repeated names": (coco_with_repeated_names, "coco", {"train": 14, "val": 6}),
    "COCO's own folders": (coco_of_the_task, "coco", {"train": 14, "val": 6}),
    "labelImg's VOC": (labelimg_voc, "voc", {"train": 20}),
    "VOC in two folders": (voc_in_two_folders, "voc", {"train": 20}),
    "CVAT's VOC": (cvat_voc, "voc", {"train": 14, "val": 6}),
    "Roboflow's VOC": (roboflow_voc, "voc", {"train": 14, "val": 4, "test": 2}),
    "Ultralytics' YOLO": (ultralytics_yolo, "yolo", {"train": 14, "val": 6}),
    "undivided YOLO": (undivided_yolo, "yolo", {"train": 20}),
    "Roboflow's YOLO": (roboflow_yolo, "yolo", {"train": 14, "val": 4, "test": 2}),
    "labelImg's YOLO": (labelimg_yolo, "yolo", {"train": 20}),
    "Label Studio's YOLO": (label_studio_yolo, "yolo", {"train": 20}),
}
