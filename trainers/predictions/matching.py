"""Classify boxes as right or wrong, as COCO's evaluation does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainers.schema.predictions import DetectionKind

Boxes = NDArray[np.float64]
IOU = 0.5


@dataclass(frozen=True)
class Matches:
    """Hold the match of each detection: its kind, and the position of the matched object or ``None``."""

    kinds: tuple[DetectionKind, ...]
    met: tuple[int | None, ...]


def match(
    boxes: Boxes,
    labels: NDArray[np.int64],
    truth: Boxes,
    truth_labels: NDArray[np.int64],
    ignore: NDArray[np.bool_],
    iou: float = IOU,
) -> Matches:
    """Match detections with the objects of one image at an IoU of at least ``iou``.

    ``boxes``, float64 (D, 4) as (x1, y1, x2, y2), are sorted by falling score; ``truth`` is float64 (T, 4). In turn each
    detection takes the object of its class that it overlaps most and that none before it took; failing that, one to be
    ignored, of which it must lie half inside and which any number may take. As in pycocotools, the last of equals wins.
    """
    overlaps = overlap(boxes, truth, ignore)
    kinds: list[DetectionKind] = []
    met: list[int | None] = []
    free = ~ignore
    for row, label in zip(overlaps, labels, strict=True):
        fits = (row >= iou) & (truth_labels == label)
        found = _largest(row, fits & free)
        if found is not None:
            free[found] = False
            kinds.append("tp")
        else:
            found = _largest(row, fits & ignore)
            kinds.append("fp" if found is None else "ignored")
        met.append(found)
    return Matches(tuple(kinds), tuple(met))


def overlap(boxes: Boxes, truth: Boxes, ignore: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return IoUs, float64 (D, T); with an object to be ignored, the share of the detection that lies inside it."""
    low = np.maximum(boxes[:, None, :2], truth[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], truth[None, :, 2:])
    common = np.prod(np.clip(high - low, 0.0, None), axis=2)
    own, theirs = _areas(boxes)[:, None], _areas(truth)[None, :]
    whole = np.where(ignore[None, :], own, own + theirs - common)
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > 0.0)


def _areas(boxes: Boxes) -> NDArray[np.float64]:
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float64)


def _largest(row: NDArray[np.float64], allowed: NDArray[np.bool_]) -> int | None:
    places = np.flatnonzero(allowed)
    if not len(places):
        return None
    return int(places[::-1][row[places[::-1]].argmax()])
