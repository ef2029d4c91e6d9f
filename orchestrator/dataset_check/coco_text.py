"""Write a split of a dataset as COCO's JSON: the images and boxes that training and evaluation know."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from trainers.schema.annotations import AnnotatedSplit, Box, Image


def coco_text(split: AnnotatedSplit, classes: Sequence[str], files: Mapping[str, str]) -> str:
    """Return a split as JSON; ``files`` are the names to write for the images' paths.

    Categories are the ``classes``, counted from 1, and images and annotations are numbered from 1 in the files' order. A
    box that evaluation does not know of, such as one without area in a VOC file, is left out: evaluation knows every box
    of a COCO file. Ignored boxes, VOC's difficult objects among them, become crowds.
    """
    boxes = [(number, box) for number, image in enumerate(split.images, 1) for box in image.boxes if box.evaluated]
    content = {
        "images": [_image(number, image, files[image.path]) for number, image in enumerate(split.images, 1)],
        "annotations": [_annotation(number, image, box) for number, (image, box) in enumerate(boxes, 1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, 1)],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def _image(number: int, image: Image, file: str) -> dict[str, Any]:
    size = {} if image.size is None else {"width": image.width, "height": image.height}
    return {"id": number, "file_name": file, **size}


def _annotation(number: int, image: int, box: Box) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": box.label + 1,
        "bbox": [box.x, box.y, box.width, box.height],
        "area": box.area,
        "iscrowd": int(box.ignored),
    }
