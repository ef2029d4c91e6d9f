"""Tell which split a folder or a file belongs to by its name."""

import re
from collections.abc import Iterable, Mapping

from trainers.schema.annotations import SplitName

WORDS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "test": "test",
    "testing": "test",
}
WORD = re.compile(r"[a-z]+")


def split_of(path: str) -> SplitName | None:
    """Return the split that a path below the root speaks of, the last word of the kind: ``annotations/instances_val2017.json``."""
    found = [WORDS[word] for word in WORD.findall(path.lower()) if word in WORDS]
    return found[-1] if found else None


def by_split(paths: Iterable[str]) -> dict[SplitName | None, list[str]]:
    """Return paths by the split that they speak of."""
    found: dict[SplitName | None, list[str]] = {}
    for path in paths:
        found.setdefault(split_of(path), []).append(path)
    return found


def in_order(found: Mapping[SplitName | None, list[str]]) -> dict[SplitName, list[str]]:
    """Return the paths of each split that a study can use; empty where they do not name training data.

    Where there is a test split and no validation split, the test split is the one that a study measures on: choosing has
    seen it then, and the study says so.
    """
    named: dict[SplitName, list[str]] = {split: paths for split, paths in found.items() if split is not None}
    if "train" not in named:
        return {}
    return {split: named[split] for split in ("train", "val", "test") if split in named}
