"""Count the classes, boxes and image sizes of a dataset that was found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import TypeAdapter

from orchestrator.core.errors import UserError
from orchestrator.first_study.files import look_into
from orchestrator.first_study.found import Found
from orchestrator.first_study.recognise import recognise
from trainers.schema import DatasetSpec
from trainers.schema.annotations import AnnotatedSplit, FileDataset, SplitName, read_split
from trainers.schema.annotations.usage import used_images
from trainers.schema.annotations.yolo_names import read_names
from trainers.schema.dataset import source_splits
from trainers.schema.image_header import read_header

NOBODY = "\u2400"  # a class that no file has: reading with it counts all names as others


@dataclass(frozen=True)
class Contents:
    """Hold a dataset's class names, with the boxes of each in training and elsewhere, and its images' sizes.

    ``names`` are in the order of the files, or of the alphabet. ``image`` is the (width, height) that half of the images
    do not exceed, ``box`` the median square root of a box's area, in pixels. ``learned`` counts the images of training
    that a study trains on, before they are divided.
    """

    names: tuple[str, ...]
    boxes: dict[SplitName, Counter[str]]
    images: dict[SplitName, int]
    image: tuple[int, int]
    box: float
    most: int
    learned: int


def contents_of(found: Found, root: Path) -> Contents:
    """Read the annotations; raise ``UserError`` with the first problem that keeps them from being read."""
    names = _names(found, root)
    if not names:
        raise UserError(f"{root}: {found.what} was found, and no box in it")
    dataset = spec(found, root, names)
    splits = _whole(dataset)
    for part in splits.values():
        if part.notes.stopping is not None:
            raise UserError(str(part.notes.stopping))
    images = [image for part in splits.values() for image in part.images]
    sizes = [image.size for image in images if image.size is not None]
    boxes = [box for image in images for box in image.boxes if box.trained]
    return Contents(
        names=tuple(names),
        boxes={
            split: Counter(names[box.label] for image in part.images for box in image.boxes)
            for split, part in splits.items()
        },
        images={split: len(part.images) for split, part in splits.items()},
        image=(int(median(size[0] for size in sizes)), int(median(size[1] for size in sizes))) if sizes else (0, 0),
        box=median(box.area**0.5 for box in boxes) if boxes else 0.0,
        learned=len(used_images(splits["train"], dataset)),
        most=max((sum(not box.ignored for box in image.boxes) for image in images), default=0),
    )


def spec_of_folder(root: Path) -> FileDataset:
    """Return the dataset of a folder in a format that ``init`` recognises; raise ``UserError`` where it is none."""
    found = recognise(look_into(root))
    names = _names(found, root)
    if not names:
        raise UserError(f"{root}: {found.what} was found, and no box in it")
    return spec(found, root, names)


def _whole(dataset: FileDataset) -> dict[SplitName, AnnotatedSplit]:
    """Return all that lies in the files, before it is divided."""
    whole = dataset.model_copy(update={"split": None})
    return {split: read_split(whole, split, lambda file: read_header(file).turned) for split in source_splits(dataset)}


def _names(found: Found, root: Path) -> Sequence[str]:
    """Return the names of boxes: in the order of a YOLO data file, else of the alphabet."""
    if found.kind == "yolo":
        data = found.settings.get("data")
        return list(read_names(root / data).values()) if data else _numbered(found, root)
    others: Counter[str] = Counter()
    for part in _whole(spec(found, root, (NOBODY,))).values():
        others.update(part.others)
    return sorted(name for name, count in others.items() if count)


def _numbered(found: Found, root: Path) -> Sequence[str]:
    raise UserError(
        f"{root}: YOLO labels without names of classes: write them into {root}/classes.txt, one a line, class 0 first"
    )


def spec(found: Found, root: Path, names: Sequence[str]) -> FileDataset:
    """Return the dataset section as training reads it."""
    content: dict[str, Any] = {"kind": found.kind, "root": str(root), "classes": list(names)}
    content |= found.section
    if found.is_divided:
        content["split"] = {"val": 0.2}
    return TypeAdapter(DatasetSpec).validate_python(content, strict=False)  # type: ignore[return-value]
