"""Take the boxes of many annotations at once, where none of them is odd."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from trainers.schema.annotations.place import SMALLEST_SIDE, reason_to_leave_out
from trainers.schema.annotations.records import Box, Image

NUMBERS = frozenset({int, float})  # what JSON's numbers become; ``bool`` is none of them
WHOLE, IDS = frozenset({int}), frozenset({int, str})
FLAGS = frozenset({0, 1, None})
LARGE_ID = 1 << 60
LARGE = 1e100  # sums of two such numbers are finite
LONGEST = 1 << 31  # pixels; coordinates below keep fractions that decide about areas
make_tuple: Callable[[type[Box], Iterable[Any]], Box] = tuple.__new__  # what Box._make calls


class PlainColumns(NamedTuple):
    """Hold the parts of annotations, by kind; an area is a number above 0, a crowd 0, 1 or ``None``, an id above 0 and below 2**60."""

    keys: Sequence[Any]
    images: Sequence[Any]
    categories: Sequence[Any]
    boxes: Sequence[Any]
    areas: Sequence[Any]
    crowds: Sequence[Any]


class PlainBoxes:
    """Add boxes to ``images``, by their ids, as the entry-by-entry reading would; ``labels`` and ``names`` are by category id.

    A label below 0 marks a category that is no class of the study: its boxes are counted in ``others``, by name. ``keys``
    are the annotation ids so far.
    """

    def __init__(
        self,
        images: dict[Any, Image],
        labels: dict[Any, int],
        keys: set[Any],
        names: dict[Any, str],
        others: Counter[str],
    ) -> None:
        self._images, self._labels, self._keys, self._names, self._others = images, labels, keys, names, others

    def add(self, entries: list[Any]) -> bool:
        """Add the boxes of all entries, or none and return ``False`` where one of them needs a closer look."""
        columns = plain_columns(entries)
        if columns is None or not self._are_new(columns.keys):
            return False
        images = list(map(self._images.get, columns.images))
        labels = list(map(self._labels.get, columns.categories))
        if not all(images) or None in labels:
            return False
        self._keys.update(columns.keys)
        self._add(columns, images, labels)
        return True

    def _add(self, columns: PlainColumns, images: Sequence[Any], labels: Sequence[Any]) -> None:
        """Add boxes; one loop without calls, for there are millions of them."""
        rows = zip(columns.keys, images, labels, columns.boxes, columns.areas, columns.crowds, strict=True)
        for place, (key, image, label, (x, y, width, height), area, crowd) in enumerate(rows):
            if label < 0:
                self._others[self._names[columns.categories[place]]] += 1
                continue
            wide, high = image.width, image.height
            lies_inside = (
                wide is not None
                and x >= 0
                and y >= 0
                and width >= SMALLEST_SIDE
                and height >= SMALLEST_SIDE
                and x + width <= wide < LONGEST
                and y + height <= high < LONGEST
            )
            left_out = None if lies_inside else reason_to_leave_out(x, y, width, height, image.size)
            image.annotated = True
            image.boxes.append(make_tuple(Box, (label, x, y, width, height, area, crowd == 1, key, left_out, True)))

    def _are_new(self, keys: Sequence[Any]) -> bool:
        distinct = set(keys)
        return len(distinct) == len(keys) and self._keys.isdisjoint(distinct)


def plain_columns(entries: list[Any]) -> PlainColumns | None:
    """Return the parts of annotations that need no note by themselves; ``None`` where there are none, or one needs a closer look."""
    columns = _columns(entries)
    return columns if columns is not None and _are_ids(columns.keys) and _are_numbers(columns) else None


def _are_ids(keys: Sequence[Any]) -> bool:
    return set(map(type, keys)) == WHOLE and min(keys) > 0 and max(keys) < LARGE_ID


def _columns(entries: list[Any]) -> PlainColumns | None:
    """Return the parts of entries, ``None`` where one lacks a part or has a mark that is rare."""
    try:
        rows = [
            (entry["id"], entry["image_id"], entry["category_id"], entry["bbox"], entry["area"], entry.get("iscrowd"))
            for entry in entries
        ]
    except (AttributeError, KeyError, TypeError):
        return None
    if not rows or any("ignore" in entry for entry in entries):
        return None
    return PlainColumns(*zip(*rows, strict=True))


def _are_numbers(columns: PlainColumns) -> bool:
    """Return whether each id, box, area and flag is one that needs no note."""
    if set(map(type, columns.boxes)) != {list} or set(map(len, columns.boxes)) != {4}:
        return False
    if not (IDS.issuperset(map(type, columns.images)) and IDS.issuperset(map(type, columns.categories))):
        return False
    if not set(map(type, columns.crowds)) <= {int, type(None)} or not FLAGS.issuperset(columns.crowds):
        return False
    sides = list(chain.from_iterable(columns.boxes))
    return _are_finite(sides, -LARGE) and _are_finite(columns.areas, 0)


def _are_finite(values: Sequence[Any], above: float) -> bool:
    """Return whether all are numbers above a bound and below ``LARGE``; a single NaN makes the sum one."""
    if not NUMBERS.issuperset(map(type, values)):
        return False
    try:
        return above < min(values) and max(values) < LARGE and math.isfinite(sum(values))
    except OverflowError:
        return False
