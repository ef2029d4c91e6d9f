"""Write folders in COCO's and in VOC's layout."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tests.unit.trainers.voc_folder import SOME, write_part, write_voc_folder, xml
from trainers.schema import VocDataset, VocPart

CLASSES = ("cat", "dog")


def annotations(
    boxes: Sequence[Sequence[int]], classes: Sequence[str] = CLASSES, *, prefix: str = ""
) -> dict[str, Any]:
    """Return a COCO annotation file with one image for each item of ``boxes``: the categories of its boxes."""
    numbered = [(image, category) for image, found in enumerate(boxes, start=1) for category in found]
    return {
        "images": [
            {"id": image, "file_name": f"{prefix}{image}.jpg", "width": 64, "height": 48}
            for image in range(1, len(boxes) + 1)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, start=1)],
        "annotations": [
            {"id": n, "image_id": image, "category_id": category, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
            for n, (image, category) in enumerate(numbered, start=1)
        ],
    }


def write_coco(root: Path, boxes: Sequence[Sequence[int]] = ((1, 2), (2,)), classes: Sequence[str] = CLASSES) -> Path:
    """Write ``train.json``, ``val.json`` and the images, grey all of them; return ``root``."""
    (root / "images").mkdir(parents=True)
    for split, prefix in (("train", ""), ("val", "v")):
        content = annotations(boxes, classes, prefix=prefix)
        for image in content["images"]:
            (root / "images" / image["file_name"]).write_bytes(grey_image((64, 48), "JPEG"))
        (root / f"{split}.json").write_text(json.dumps(content))
    return root


def write_voc_splits(root: Path) -> VocDataset:
    """Write four images for each split in VOC's layout: the lists ``trainval`` and ``test`` of one folder."""
    dataset = write_voc_folder(root)
    images = {f"00100{number}": xml([(name, box, 0) for name, box, _ in SOME]) for number in range(4)}
    write_part(root, VocPart(folder="VOC2007", set="test"), images)
    return dataset


def voc_section(dataset: VocDataset) -> str:
    """Return the section of a study that reads what ``write_voc_splits`` has written."""
    train, val = (f"[{{folder: VOC2007, set: {name}}}]" for name in ("trainval", "test"))
    return f"dataset:\n  kind: voc\n  root: {dataset.root}\n  classes: [cat, dog]\n  train: {train}\n  val: {val}\n"


def grey_image(size: tuple[int, int], kind: str) -> bytes:
    """Return a grey image as a file's content."""
    file = io.BytesIO()
    Image.new("RGB", size, (128, 128, 128)).save(file, kind)
    return file.getvalue()


def section(root: Path | str, classes: Sequence[str] = CLASSES) -> str:
    """Return the study's section ``dataset`` for such a folder."""
    return f"""\
dataset:
  kind: coco
  root: {root}
  classes: [{", ".join(classes)}]
  image_size: [64, 64]
  train:
    annotations: train.json
    images: images
  val: {{annotations: val.json, images: images}}
"""
