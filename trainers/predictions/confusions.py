"""Count which classes a detector takes for which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.evaluation.voc_metrics import VocFound
from trainers.predictions.matching import Boxes, match
from trainers.schema.split_errors import IOUS, SCORES, Cell, Confusions

Labels = NDArray[np.int64]
Pairs = list[tuple[int, int]]
Table = dict[tuple[int, int], list[int]]


@dataclass(frozen=True)
class Objects:
    """Hold an image's objects: boxes float64 (T, 4) as (x1, y1, x2, y2), labels int64 (T,), ignored ones bool (T,)."""

    boxes: Boxes
    labels: Labels
    ignore: NDArray[np.bool_]


def objects_of(info: dict[str, Any]) -> Objects:
    """Return the objects that a dataset has in an image."""
    items = info["instances"]
    return Objects(
        np.array([item["bbox"] for item in items], np.float64).reshape(-1, 4),
        np.array([item["bbox_label"] for item in items], np.int64),
        np.array([item["ignore_flag"] for item in items], bool),
    )


def confusions(trial: str, classes: int, images: Sequence[tuple[Objects, VocFound]]) -> Confusions:
    """Return one trial's counts over images, see ``trainers.schema.split_errors.Confusions``."""
    tables: list[Table] = [{} for _ in IOUS]
    for objects, found in images:
        boxes, scores, labels = _ordered(found)
        for table, iou in zip(tables, IOUS, strict=True):
            for place, pairs in enumerate(_by_score(objects, boxes, scores, labels, classes, iou)):
                _add(table, pairs, place)
    return Confusions(trial=trial, images=len(images), cells=tuple(_cells(table) for table in tables))


def _ordered(found: VocFound) -> tuple[Boxes, NDArray[np.float64], Labels]:
    """Return the finite boxes of an image by falling score, with their scores and labels."""
    boxes, scores = np.asarray(found.boxes, np.float64), np.asarray(found.scores, np.float64)
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(boxes[order]).all(axis=1) & np.isfinite(scores[order])]
    return boxes[order], scores[order], np.asarray(found.labels, np.int64)[order]


def _by_score(
    objects: Objects, boxes: Boxes, scores: NDArray[np.float64], labels: Labels, background: int, iou: float
) -> Iterable[Pairs]:
    """Yield, for each of ``SCORES``, the pairs (class of the object, class of the box) of an image.

    COCO's matching goes by falling score, so that of the boxes above a score is the beginning of that of all.
    """
    own = match(boxes, labels, objects.boxes, objects.labels, objects.ignore, iou)
    kinds = np.array(own.kinds, dtype="U7")
    met = np.array([-1 if place is None else place for place in own.met], np.int64)
    for score in SCORES:
        shown = scores >= score
        right, rest = met[shown & (kinds == "tp")], np.flatnonzero(shown & (kinds == "fp"))
        left = np.setdiff1d(np.flatnonzero(~objects.ignore), right)
        yield [
            *((label, label) for label in objects.labels[right].tolist()),
            *_others(objects, left, boxes[rest], labels[rest], background, iou),
        ]


def _others(objects: Objects, left: Labels, boxes: Boxes, labels: Labels, background: int, iou: float) -> Pairs:
    """Return the pairs of boxes and objects that have no partner of their own class."""
    one = np.zeros(len(boxes), np.int64), np.zeros(len(left), np.int64)  # a match that asks for no class
    matched = match(boxes, one[0], objects.boxes[left], one[1], np.zeros(len(left), bool), iou)
    truth = objects.labels[left].tolist()
    met = [place for place in matched.met if place is not None]
    found = [
        (background if place is None else truth[place], label)
        for place, label in zip(matched.met, labels.tolist(), strict=True)
    ]
    return [*found, *((truth[place], background) for place in range(len(left)) if place not in met)]


def _add(table: Table, pairs: Pairs, place: int) -> None:
    for pair in pairs:
        table.setdefault(pair, [0] * len(SCORES))[place] += 1


def _cells(table: Table) -> tuple[Cell, ...]:
    return tuple((truth, found, tuple(counts)) for (truth, found), counts in sorted(table.items()))
