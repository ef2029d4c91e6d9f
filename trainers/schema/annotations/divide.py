"""Divide annotated images into splits: at random by a seed, in equal proportions of every class."""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trainers.schema.annotations.records import Image
from trainers.schema.dataset import SplitName
from trainers.schema.division import BeforeText, Division


@dataclass(slots=True)
class Group:
    """Hold images that stay together; ``holds`` counts those that hold a class, by label."""

    key: str
    images: list[int] = field(default_factory=list)
    holds: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class _Wish:
    """Hold the images that a split still asks for: how many images, and how many that hold a class, by label."""

    split: SplitName
    images: float
    holds: dict[int, float]


def divide(images: Sequence[Image], division: Division, root: str) -> dict[SplitName, list[Image]]:
    """Return the images of each split, in the given order.

    By iterative stratification (Sechidis and others, 2011): again and again the class that the fewest remaining images hold
    is taken, and each group of its images goes to the split that lacks most of that class. Groups are taken in an order
    that depends on ``seed`` and names below ``root`` alone.
    """
    chosen = _chosen(_groups(images, division, root), division)
    found: dict[SplitName, list[Image]] = {"train": [], "val": [], "test": []}
    for position, image in enumerate(images):
        found[chosen[position]].append(image)
    return found


def _groups(images: Sequence[Image], division: Division, root: str) -> list[Group]:
    groups: dict[str, Group] = {}
    for position, image in enumerate(images):
        key = group_of(posixpath.relpath(image.path, root), division)
        group = groups.setdefault(key, Group(key))
        group.images.append(position)
        group.holds.update({box.label for box in image.boxes if box.trained and not box.ignored})
    return sorted(groups.values(), key=lambda group: _place(division.seed, group.key))


def group_of(name: str, division: Division) -> str:
    """Return the group of an image by its path below the root."""
    folder, file = posixpath.split(name)
    if division.group == "folder":
        return folder
    return file.partition(division.group.before)[0] if isinstance(division.group, BeforeText) else name


def _place(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogateescape")).digest()


def _chosen(groups: Sequence[Group], division: Division) -> dict[int, SplitName]:
    """Return each image's split, by position."""
    left = dict(enumerate(groups))
    wishes = _wishes(groups, division)
    chosen: dict[int, SplitName] = {}
    while left:
        label = _rarest(left.values())
        for number in [number for number, group in left.items() if label is None or label in group.holds]:
            group = left.pop(number)
            chosen |= dict.fromkeys(group.images, _give(group, label, wishes))
    return chosen


def _wishes(groups: Sequence[Group], division: Division) -> list[_Wish]:
    shares: dict[SplitName, float] = {"train": 1 - division.val - division.test, "val": division.val}
    if division.test:
        shares["test"] = division.test
    images, holds = sum(len(group.images) for group in groups), _total(groups)
    return [
        _Wish(split, share * images, {label: share * count for label, count in holds.items()})
        for split, share in shares.items()
    ]


def _rarest(groups: Iterable[Group]) -> int | None:
    """Return the class that the fewest images hold, ``None`` where no image holds one."""
    return min(((count, label) for label, count in _total(groups).items()), default=(0, None))[1]


def _total(groups: Iterable[Group]) -> Counter[int]:
    total: Counter[int] = Counter()
    for group in groups:
        total.update(group.holds)
    return total


def _give(group: Group, label: int | None, wishes: Sequence[_Wish]) -> SplitName:
    """Give a group to the split that lacks most of a class, of several the one that lacks most images."""
    best = max(wishes, key=lambda wish: (wish.holds[label] if label is not None else 0.0, wish.images))
    best.images -= len(group.images)
    for held, count in group.holds.items():
        best.holds[held] -= count
    return best.split
