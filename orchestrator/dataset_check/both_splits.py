"""Find images shared by the training and the validation split, which make AP meaningless."""

import filecmp
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product
from pathlib import Path

from trainers.schema import CocoDataset, VocDataset
from trainers.schema.annotations import FileDataset, SplitName, sources
from trainers.schema.dataset import splits_of, voc_parts

WORTHLESS = "AP would be that of images which are trained on"


def measured_splits(dataset: FileDataset) -> tuple[SplitName, ...]:
    """Return the splits that must be apart from those before them: ``val``, and ``test`` where there is one."""
    return splits_of(dataset)[1:]


def common_source(dataset: FileDataset, split: SplitName = "val") -> str | None:
    """Return the sentence that says that a split is read from files that ``train`` is read from, if it is."""
    if dataset.split is not None:
        return None
    if isinstance(dataset, VocDataset):
        shared = [part for part in voc_parts(dataset, split) if part in voc_parts(dataset, "train")]
        names = [f"{part.folder}/{part.set or part.annotations}" for part in shared]
    else:
        trained = {os.path.realpath(path) for path in sources(dataset, "train")}
        found = [path for path in sources(dataset, split) if os.path.realpath(path) in trained]
        names = [os.path.relpath(path, dataset.root) for path in found]
    both = "both splits are" if split == "val" else f"train and {split} are"
    return f"{both} read from {', '.join(names)}: {WORTHLESS}" if names else None


def copied_annotations(dataset: FileDataset, split: SplitName = "val") -> str | None:
    """Return the sentence that says that the annotations of a split are a copy of ``train``'s, if they are."""
    if not isinstance(dataset, CocoDataset) or dataset.split is not None:
        return None
    pairs = product(sources(dataset, "train"), sources(dataset, split))
    copies = ((train, other) for train, other in pairs if _are_copies(train, other))
    for train, other in copies:
        return f"{other} has the content of {train}: are the images copies, too? {WORTHLESS}"
    return None


def _are_copies(one: Path, other: Path) -> bool:
    return (
        os.path.realpath(one) != os.path.realpath(other)
        and os.path.isfile(one)  # noqa: PTH113  Path raises for a link that leads nowhere
        and os.path.isfile(other)  # noqa: PTH113
        and filecmp.cmp(one, other, shallow=False)
    )


def shared_images(train: Iterable[str], val: Sequence[str]) -> list[str]:
    """Return the images of another split that are trained on too, by their paths.

    Links to folders are followed. `data check` also follows links to single images, which takes a second for 10,000.
    """
    real = cache(os.path.realpath)
    trained = {_below(real, path) for path in train}
    return [path for path in val if _below(real, path) in trained]


def _below(real: Callable[[str], str], path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return real(folder), name
