"""Write a split's images and boxes in COCO's JSON form, as evaluation counts them."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from trainers.schema.annotations.records import AnnotatedSplit, Box, Image, ImageId
from trainers.schema.annotations.split import read_split
from trainers.schema.annotations.usage import used_boxes, used_images
from trainers.schema.collector import collector_paused
from trainers.schema.dataset import FileDataset, SplitName, class_names
from trainers.schema.image_header import read_header
from trainers.schema.image_rule import PixelRule


class UnreadableSplit(ValueError):
    """Report that a split's annotations cannot be used; the message is one sentence."""


def numbered(ids: Sequence[ImageId]) -> dict[ImageId, int]:
    """Return a number from 1 for each image id: in rising order if all are numbers, else in the given order.

    Among detections with equal scores the images' order decides; pycocotools takes that of the ids.
    """
    whole = [key for key in ids if isinstance(key, int)]
    ordered = sorted(whole) if len(whole) == len(ids) else ids
    return {key: number for number, key in enumerate(ordered, start=1)}


def categories_of(classes: Iterable[str]) -> list[dict[str, Any]]:
    """Return the classes as categories, numbered from 1 in label order."""
    return [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]


def read_as_coco(dataset: FileDataset, name: SplitName) -> dict[str, Any]:
    """Return a split as mmdet's ``CocoDataset`` reads it: the images and boxes that evaluation knows, in numbers of its own.

    Numbers are those of ``coco_content``; names of images are relative to the dataset's root. Raises ``UnreadableSplit`` when the
    annotations, or an image whose size only its file tells, cannot be read.
    """
    split = read_split(dataset, name, partial(size_in_file, rule=dataset.pixel_rule))
    if (note := split.notes.stopping) is not None:
        raise UnreadableSplit(str(note))
    with collector_paused():
        return _content(split, dataset)


def coco_content(
    images: Sequence[tuple[Image, Sequence[Box]]], classes: Iterable[str], file_of: Callable[[Image], dict[str, Any]]
) -> dict[str, Any]:
    """Return images with their boxes in COCO's form; ``file_of`` gives an image's ``file_name``, and its size if known.

    Images are numbered as in ``numbered``, boxes and classes from 1, classes in label order. Ignored boxes, VOC's
    difficult objects among them, become crowds.
    """
    numbers = numbered([image.id for image, _ in images])
    boxes = [(numbers[image.id], box) for image, found in images for box in found]
    return {
        "images": [{"id": numbers[image.id], **file_of(image)} for image, _ in images],
        "annotations": [_annotation(number, *pair) for number, pair in enumerate(boxes, start=1)],
        "categories": categories_of(classes),
    }


def _content(split: AnnotatedSplit, dataset: FileDataset) -> dict[str, Any]:
    images = [(image, used_boxes(image, split.name)) for image in used_images(split, dataset)]
    return coco_content(images, class_names(dataset), partial(_file_of, dataset=dataset))


def _file_of(image: Image, dataset: FileDataset) -> dict[str, Any]:
    width, height = image.size or size_in_file(Path(image.path), dataset.pixel_rule)
    return {"file_name": Path(os.path.relpath(image.path, dataset.root)).as_posix(), "width": width, "height": height}


def _annotation(number: int, image: int, box: Box) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": box.label + 1,
        "bbox": [box.x, box.y, box.width, box.height],
        "area": box.area,
        "iscrowd": int(box.ignored),
    }


def size_in_file(file: Path, rule: PixelRule) -> tuple[int, int]:
    """Return an image's (width, height) from its header; raise ``UnreadableSplit`` where it cannot be read."""
    try:
        return read_header(file).sizes(rule)[0]
    except (OSError, ValueError) as error:
        raise UnreadableSplit(f"{file} {error}") from error
