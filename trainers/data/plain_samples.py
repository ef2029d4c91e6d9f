"""Read a COCO file without anything odd into arrays: its boxes never become objects.

Whatever needs a closer look raises ``NotPlain``; ``read_split`` then reads the file, and says what is wrong with it.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.data.sample_index import SplitSamples
from trainers.data.samples import BoxArrays, samples_with
from trainers.schema import CocoDataset
from trainers.schema.annotations import FileDataset, SplitName
from trainers.schema.annotations.coco import coco_tables
from trainers.schema.annotations.kinds import UNREACHABLE, OddityKind
from trainers.schema.annotations.pieces import NotPlain, reduced_lists
from trainers.schema.annotations.place import SMALLEST_SIDE, reason_to_leave_out
from trainers.schema.annotations.plain_boxes import LONGEST, plain_columns
from trainers.schema.annotations.records import AnnotatedSplit
from trainers.schema.annotations.usage import BoxCounts, OddImage, unused, usage_of
from trainers.schema.dataset import class_count, coco_parts

OF_IMAGE = ("id", "file_name", "width", "height")  # the keys that are read; addresses take most of the memory
EXACT = 2.0**52  # sums of two whole numbers up to here are what they are for integers
SPARSE = 50  # times as large as their number ids may be to have a table with a place for each
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]
Reasons = dict[int, OddityKind]


class _Columns(NamedTuple):
    """Hold M annotations: ids, ids of images and categories, and boxes (M, 4), areas and marks of crowds."""

    keys: NDArray[np.int64]
    images: NDArray[np.int64]
    categories: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowds: Flags


class _Boxes(NamedTuple):
    """Hold the M boxes of the study's classes in the order of their images: ``places`` (M,) are these images' positions.

    ``reasons`` tell by a box's position why it is not trained on.
    """

    places: Places
    labels: NDArray[np.int32]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    ignored: Flags
    reasons: Reasons


def plain_samples(spec: FileDataset, split: SplitName) -> SplitSamples:
    """Return a split's samples as ``read_split`` would have them; raises ``NotPlain`` where that has to read them."""
    if not isinstance(spec, CocoDataset) or spec.split is not None or len(parts := coco_parts(spec, split)) != 1:
        raise NotPlain
    lists = reduced_lists(Path(spec.root) / parts[0].annotations, _reduced)
    images, categories = (list(chain.from_iterable(_present(lists, key))) for key in ("images", "categories"))
    found, labels = coco_tables(spec, parts[0], split, images, categories)
    if found.notes.stopping is not None or not found.images:
        raise NotPlain
    boxes = _boxes(_joined(_present(lists, "annotations")), found, labels)
    return _used(found, boxes, spec)


def _present(lists: dict[str, list[Any] | None], key: str) -> list[Any]:
    found = lists.get(key)
    if not found:
        raise NotPlain
    return found


# ------------------------------------------------------------------------------------------------------ from entries


def _reduced(key: str, entries: list[Any]) -> Any:
    if key == "annotations":
        return _columns(entries)
    return [_slim(entry) for entry in entries] if key == "images" else entries


def _slim(entry: Any) -> Any:
    """Return an image's entry without the keys that nobody reads."""
    return {key: entry[key] for key in OF_IMAGE if key in entry} if isinstance(entry, dict) else entry


def _columns(entries: list[Any]) -> _Columns:
    found = plain_columns(entries)
    if found is None:
        raise NotPlain
    sides = np.array(list(chain.from_iterable(found.boxes)), np.float64)
    if np.abs(sides).max() > EXACT:
        raise NotPlain
    return _Columns(
        _whole(found.keys), _whole(found.images), _whole(found.categories), sides.reshape(-1, 4),
        np.array(found.areas, np.float64), np.array([crowd == 1 for crowd in found.crowds], np.bool_),
    )  # fmt: skip


def _whole(values: Sequence[Any]) -> NDArray[np.int64]:
    """Return whole numbers as an array; raises ``NotPlain`` for other ids."""
    if set(map(type, values)) != {int}:
        raise NotPlain
    try:
        return np.array(values, np.int64)
    except OverflowError as error:
        raise NotPlain from error


def _joined(pieces: Sequence[_Columns]) -> _Columns:
    found = _Columns(*map(np.concatenate, zip(*pieces, strict=True)))
    keys = np.sort(found.keys, kind="stable")
    if (keys[1:] == keys[:-1]).any():
        raise NotPlain
    return found


# ------------------------------------------------------------------------------------------------------ with images


def _boxes(columns: _Columns, found: AnnotatedSplit, labels: dict[Any, int]) -> _Boxes:
    """Return the boxes of the study's classes, and mark the images that have any."""
    of_box = np.array(list(labels.values()), np.int32)[_positions(columns.categories, list(labels))]
    places = _positions(columns.images, [image.id for image in found.images])
    mine = np.flatnonzero(of_box >= 0)
    order = mine[np.argsort(places[mine], kind="stable")]
    places, boxes = places[order], columns.boxes[order]
    for place in np.flatnonzero(np.bincount(places)).tolist():
        found.images[place].annotated = True
    return _Boxes(
        places, of_box[order], boxes, columns.areas[order], columns.crowds[order], _reasons(boxes, places, found)
    )


def _positions(wanted: NDArray[np.int64], known: Sequence[Any]) -> Places:
    """Return the positions of ids among the known ones; raises ``NotPlain`` for one that is not there."""
    ids = _whole(known)
    if ids.min() >= 0 and ids.max() < SPARSE * len(ids):
        table = np.full(ids.max() + 2, -1, np.int64)  # the last place is that of all larger ids
        table[ids] = np.arange(len(ids))
        found: Places = table[wanted.clip(-1, len(table) - 1)]
    else:
        order = np.argsort(ids)
        found = order[np.searchsorted(ids, wanted, sorter=order).clip(max=len(ids) - 1)]
    if not np.array_equal(ids[found], wanted):
        raise NotPlain
    return found


def _reasons(boxes: NDArray[np.float64], places: Places, found: AnnotatedSplit) -> Reasons:
    """Return why boxes are left out, by position; those that lie inside of their images need no closer look."""
    sizes = np.array([image.size for image in found.images], np.float64)[places]
    corners, sides = boxes[:, :2], boxes[:, 2:]
    is_inside = (corners >= 0) & (sides >= SMALLEST_SIDE) & (corners + sides <= sizes) & (sizes < LONGEST)
    doubtful = np.flatnonzero(~is_inside.all(axis=1)).tolist()
    images = [found.images[place].size for place in places[doubtful].tolist()]
    pairs = zip(boxes[doubtful].tolist(), images, strict=True)
    reasons = (reason_to_leave_out(x, y, width, height, image) for (x, y, width, height), image in pairs)
    return {position: reason for position, reason in zip(doubtful, reasons, strict=True) if reason is not None}


# ---------------------------------------------------------------------------------------------------- what is used


def _used(found: AnnotatedSplit, boxes: _Boxes, spec: CocoDataset) -> SplitSamples:
    trains = found.name == "train"
    reasons = [unused(image, spec) if trains else None for image in found.images]
    is_used = np.array([reason is None for reason in reasons], np.bool_)
    if not is_used.any():
        raise NotPlain
    is_kept = np.ones(len(boxes.places), np.bool_)
    if trains:
        is_kept[list(boxes.reasons)] = False
    counts = np.bincount(boxes.places[is_kept], minlength=len(reasons))
    chosen = is_kept & is_used[boxes.places]
    odd = _odd(boxes, reasons, counts, trains=trains)
    usage = usage_of(found, spec, _counts(boxes, chosen, len(reasons), class_count(spec), odd))
    arrays = BoxArrays(
        counts[is_used], boxes.boxes[chosen], boxes.areas[chosen], boxes.labels[chosen], boxes.ignored[chosen]
    )
    images = [image for image, reason in zip(found.images, reasons, strict=True) if reason is None]
    return SplitSamples(samples_with(images, arrays, found.name), usage, found.listings)


def _odd(
    boxes: _Boxes, reasons: Sequence[OddityKind | None], counts: NDArray[np.int64], *, trains: bool
) -> list[OddImage]:
    left: dict[int, list[OddityKind]] = {}
    for position, reason in boxes.reasons.items() if trains else ():
        left.setdefault(int(boxes.places[position]), []).append(reason)
    odd = {place for place, reason in enumerate(reasons) if reason is not None} | left.keys()
    return [OddImage(reasons[place], int(counts[place]), tuple(left.get(place, ()))) for place in sorted(odd)]


def _counts(boxes: _Boxes, chosen: Flags, images: int, classes: int, odd: Sequence[OddImage]) -> BoxCounts:
    counted = chosen & ~boxes.ignored
    missed = [place for place, reason in boxes.reasons.items() if reason in UNREACHABLE]
    return BoxCounts(
        boxes=len(boxes.places),
        used=int(chosen.sum()),
        by_label=np.bincount(boxes.labels[counted], minlength=classes).tolist(),
        unreachable=int(counted[missed].sum()),
        objects=np.bincount(boxes.places[~boxes.ignored], minlength=images).tolist(),
        odd=odd,
    )
