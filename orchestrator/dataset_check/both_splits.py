"""Find images shared by the training and the validation split, which make AP meaningless."""

import filecmp
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from trainers.schema import CocoDataset, VocDataset
from trainers.schema.annotations import FileDataset

WORTHLESS = "AP would be that of images which are trained on"


def common_source(dataset: FileDataset) -> str | None:
    """Return the sentence that says that both splits are read from the same files, if they are."""
    if isinstance(dataset, VocDataset):
        shared = [part for part in dataset.val if part in dataset.train]
        names = [f"{part.folder}/{part.set or part.annotations}" for part in shared]
    else:
        files = {path.resolve() for path in _annotations(dataset)}
        names = [dataset.val.annotations] if len(files) == 1 else []
    return f"both splits are read from {', '.join(names)}: {WORTHLESS}" if names else None


def copied_annotations(dataset: FileDataset) -> str | None:
    """Return the sentence that says that the annotations of one split are a copy of the other's, if they are."""
    if isinstance(dataset, VocDataset):
        return None
    train, val = _annotations(dataset)
    if train.resolve() == val.resolve() or not (train.is_file() and val.is_file()):
        return None
    same = filecmp.cmp(train, val, shallow=False)
    return f"{val} has the content of {train}: are the images copies, too? {WORTHLESS}" if same else None


def _annotations(dataset: CocoDataset) -> list[Path]:
    return [Path(dataset.root) / split.annotations for split in (dataset.train, dataset.val)]


def shared_images(train: Iterable[str], val: Sequence[str]) -> list[str]:
    """Return the validation images that are trained on too, by their paths.

    Links to folders are followed. `data check` also follows links to single images, which takes a second for 10,000.
    """
    real = cache(os.path.realpath)
    trained = {_below(real, path) for path in train}
    return [path for path in val if _below(real, path) in trained]


def _below(real: Callable[[str], str], path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return real(folder), name
