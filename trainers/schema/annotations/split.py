"""Read one split of a dataset of any format."""

from pathlib import Path
from typing import Literal

from trainers.schema.annotations.coco import read_coco
from trainers.schema.annotations.records import AnnotatedSplit, SizeOf
from trainers.schema.annotations.voc import read_voc
from trainers.schema.collector import collector_paused
from trainers.schema.dataset import CocoDataset, VocDataset, class_names
from trainers.schema.voc_layout import PartFiles

FileDataset = CocoDataset | VocDataset
SplitName = Literal["train", "val"]


def read_split(dataset: FileDataset, name: SplitName, size_of: SizeOf | None = None) -> AnnotatedSplit:
    """Return the images and boxes of ``train`` or ``val``, and their oddities; never raises because of file contents.

    ``size_of`` reads an image's size from its file where a VOC annotation does not give it; without it such images
    have no size.
    """
    classes = class_names(dataset)
    with collector_paused():  # it takes longer than all the rest where annotations are many
        if isinstance(dataset, VocDataset):
            return read_voc(dataset, name, classes, size_of)
        return read_coco(dataset.root, dataset.train if name == "train" else dataset.val, classes, name)


def source(dataset: FileDataset, name: SplitName) -> str:
    """Return the files that a split is read from, for a message."""
    root = Path(dataset.root)
    if isinstance(dataset, VocDataset):
        return ", ".join(
            str(PartFiles(root, part).source) for part in (dataset.train if name == "train" else dataset.val)
        )
    return str(root / (dataset.train if name == "train" else dataset.val).annotations)
