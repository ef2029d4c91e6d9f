"""Count the images that an epoch of a dataset has, as training will: exactly, or not at all."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from trainers.spec import CocoDataset, DatasetSpec, ShapesDataset, VocDataset, class_names
from trainers.spec.voc_layout import xml_files
from trainers.spec.voc_xml import VocXmlError, is_inside, read_voc_xml, whole_box

READABLE = 64 * 2**20  # bytes of annotations that a plan reads to count images
SMALLEST_SIDE = 32  # pixels; images with a shorter one are not trained on
MISTAKES = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def training_images(dataset: DatasetSpec) -> int | None:
    """Return how many images an epoch has, repeats counted; ``None`` where the data is missing, damaged or huge."""
    if isinstance(dataset, ShapesDataset):
        return dataset.train_images * dataset.repeat
    count = _voc_images(dataset) if isinstance(dataset, VocDataset) else _coco_images(dataset)
    return None if count is None else count * dataset.repeat


def _coco_images(dataset: CocoDataset) -> int | None:
    path = Path(dataset.root) / dataset.train.annotations
    return _in_coco_file(path, class_names(dataset), _needs_boxes(dataset))


@cache
def _in_coco_file(path: Path, classes: tuple[str, ...], with_boxes: bool) -> int | None:
    try:
        if path.stat().st_size > READABLE:
            return None
        content = json.loads(path.read_bytes())
        wanted = {item["id"] for item in content["categories"] if item["name"] in classes}
        boxed = {item["image_id"] for item in content["annotations"] if item["category_id"] in wanted}
        large = [item["id"] for item in content["images"] if min(item["width"], item["height"]) >= SMALLEST_SIDE]
        return sum(image in boxed for image in large) if with_boxes else len(large)
    except MISTAKES:
        return None


@cache
def _voc_images(dataset: VocDataset) -> int | None:
    try:
        return sum(_serves(boxed, large, dataset) for boxed, large in _voc_files(dataset))
    except MISTAKES:
        return None


def _serves(boxed: bool, large: bool, dataset: DatasetSpec) -> bool:
    return large and (boxed or not _needs_boxes(dataset))


def _voc_files(dataset: VocDataset) -> Iterator[tuple[bool, bool]]:
    """Yield for each training image whether it has an object of the study, and whether it is large enough."""
    classes = class_names(dataset)
    for path in xml_files(Path(dataset.root), dataset.train):
        image = read_voc_xml(path)
        if image.size is None:
            raise VocXmlError("gives no size")
        boxes = [whole_box(item, dataset.first_pixel) for item in image.objects if item.name in classes]
        yield any(is_inside(box, image.size) for box in boxes), min(image.size) >= SMALLEST_SIDE


def _needs_boxes(dataset: DatasetSpec) -> bool:
    return dataset.augmentation != "mosaic"
