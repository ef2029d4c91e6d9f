"""Read a dataset's annotations once for a plan, unless they are too large to be read in a moment."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from orchestrator.dataset_check.class_names import Names, names_of
from trainers.schema import CocoDataset, VocDataset
from trainers.schema.annotations import AnnotatedSplit, FileDataset, Notes, SplitName, read_split, sources
from trainers.schema.annotations.changed import changed_readings
from trainers.schema.annotations.usage import Usage, usage, used_images
from trainers.schema.collector import collector_paused
from trainers.schema.dataset import coco_parts, splits_of, voc_parts
from trainers.schema.files_digest import FilesDigest
from trainers.schema.image_pipeline import AUGMENTATION
from trainers.schema.yolo_layout import yolo_places

READABLE = 64 * 2**20  # bytes of a COCO file that a plan reads
REMEMBERED = 16  # splits
LOOKED_AT = 200  # images of a split whose files a plan looks at
Stamp = tuple[tuple[str, int, int], ...]  # path, size and time of what tells that a split has changed


class FirstImage(NamedTuple):
    """Hold an image's file, and the (width, height) that its annotation gives."""

    file: Path
    size: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class SplitReading:
    """Hold the contents of a split's annotations: counts, oddities, names, images, and changes in how they are read.

    ``used`` are the files of the images that are used, ``first`` the first of these images, ``seen`` the digests of a VOC
    split's parts.
    """

    usage: Usage
    notes: Notes
    names: Names
    paths: tuple[str, ...]
    changed: tuple[str, ...]
    used: tuple[str, ...]
    first: tuple[FirstImage, ...]
    seen: tuple[FilesDigest | None, ...]


def reading(dataset: FileDataset, split: SplitName) -> SplitReading | None:
    """Read a split's annotations; ``None`` if a file is missing or too large for a plan.

    A split is read once in a process while its files have the same size and time.
    """
    try:
        stamp = _stamp(dataset, split)
    except OSError:
        return None
    if any(size > READABLE or Path(path).is_dir() for path, size, _ in stamp[: _coco_files(dataset, split)]):
        return None
    return _read(_as_read(dataset), split, stamp)


def _as_read(dataset: FileDataset) -> FileDataset:
    """Return the dataset without its augmentation, but for mosaic: one reading serves all that a study searches."""
    fields = type(dataset).model_fields
    other = {key: fields[key].default for key in AUGMENTATION if key != "augmentation"}  # mosaic keeps empty images
    differs = any(getattr(dataset, key) != value for key, value in other.items())
    return dataset.model_copy(update=other) if differs else dataset


def is_too_large(dataset: FileDataset, split: SplitName) -> bool:
    """Return whether a split has an annotation file that a plan leaves to training."""
    if not isinstance(dataset, CocoDataset):
        return False
    files = filter(os.path.isfile, sources(dataset, split))
    return any(file.stat().st_size > READABLE for file in files)


def _coco_files(dataset: FileDataset, split: SplitName) -> int:
    """Return how many annotation files a split has that are read as a whole."""
    return len(coco_parts(dataset, split)) if isinstance(dataset, CocoDataset) else 0


def _stamp(dataset: FileDataset, split: SplitName) -> Stamp:
    """Return size and time of annotation files, lists and folders, annotation files first.

    Names are compared with the folders' contents.
    """
    return tuple(map(_stamp_of, [*sources(dataset, split), *_folders(dataset, split)]))


def _folders(dataset: FileDataset, split: SplitName) -> Iterator[Path]:
    root = Path(dataset.root)
    if isinstance(dataset, CocoDataset):
        images = (root / part.images for part in coco_parts(dataset, split))
        yield from (folder for folder in images if os.path.exists(folder))  # noqa: PTH110
    elif isinstance(dataset, VocDataset):
        for part in voc_parts(dataset, split):
            yield from (root / part.folder / part.annotations, root / part.folder / part.images)
    else:
        yield from (path for path in yolo_places(dataset, split) if os.path.exists(path))  # noqa: PTH110


def _stamp_of(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


@lru_cache(REMEMBERED)
def _read(dataset: FileDataset, split: SplitName, stamp: Stamp) -> SplitReading:
    with collector_paused():  # what is read is thrown away before the collector would look at it
        return _summary(read_split(dataset, split), dataset)


def _summary(found: AnnotatedSplit, dataset: FileDataset) -> SplitReading:
    counts = usage(found, dataset)
    paths = tuple(image.path for image in found.images)
    images = used_images(found, dataset)
    used = tuple(image.path for image in images)
    first = tuple(FirstImage(Path(image.path), image.size) for image in images[:LOOKED_AT])
    names, changed = names_of(found, dataset), changed_readings(found)
    return SplitReading(counts, found.notes, names, paths, changed, used, first, tuple(found.seen))


def known_names(dataset: FileDataset) -> dict[str, Names]:
    """Return the names in each split whose annotations can be read and compared with the study's classes."""
    found = {split: reading(dataset, split) for split in splits_of(dataset)}
    known = {split: item for split, item in found.items() if item is not None and item.notes.names_all}
    return {split: item.names for split, item in known.items() if item.usage.images}
