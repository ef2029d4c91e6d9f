"""Read one split of a dataset of any format."""

from pathlib import Path

from trainers.schema.annotations.coco import read_coco
from trainers.schema.annotations.divide import divide
from trainers.schema.annotations.records import AnnotatedSplit, SizeOf
from trainers.schema.annotations.voc import read_voc
from trainers.schema.annotations.yolo import read_yolo
from trainers.schema.collector import collector_paused
from trainers.schema.dataset import (
    CocoDataset,
    FileDataset,
    SplitName,
    VocDataset,
    class_names,
    coco_parts,
    voc_parts,
    yolo_parts,
)
from trainers.schema.voc_layout import PartFiles


def read_split(dataset: FileDataset, name: SplitName, size_of: SizeOf | None = None) -> AnnotatedSplit:
    """Return the images and boxes of a split, and their oddities; never raises because of file contents.

    ``size_of`` reads an image's size from its file where a VOC annotation does not give it; without it such images
    have no size. Of a dataset that ``split`` divides, the oddities are those of all that is divided.
    """
    with collector_paused():  # it takes longer than all the rest where annotations are many
        found = _read(dataset, name, size_of)
        if dataset.split is not None and found.notes.stopping is None:
            found.images = divide(found.images, dataset.split, dataset.root)[name]
    return found


def _read(dataset: FileDataset, name: SplitName, size_of: SizeOf | None) -> AnnotatedSplit:
    classes = class_names(dataset)
    if isinstance(dataset, VocDataset):
        return read_voc(dataset, name, classes, size_of)
    if isinstance(dataset, CocoDataset):
        return read_coco(dataset.root, coco_parts(dataset, name), classes, name)
    return read_yolo(dataset, name, classes)


def sources(dataset: FileDataset, name: SplitName) -> list[Path]:
    """Return the files and folders that name a split's images and boxes."""
    root = Path(dataset.root)
    if isinstance(dataset, VocDataset):
        return [PartFiles(root, part).source for part in voc_parts(dataset, name)]
    if isinstance(dataset, CocoDataset):
        return [root / part.annotations for part in coco_parts(dataset, name)]
    return [root / part.images for part in yolo_parts(dataset, name)]


def source(dataset: FileDataset, name: SplitName) -> str:
    """Return the files that a split is read from, for a message."""
    return ", ".join(map(str, sources(dataset, name)))
