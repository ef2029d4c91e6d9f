"""Compute Pascal VOC's average precision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmdet.evaluation.functional import average_precision
from mmdet.evaluation.functional.mean_ap import tpfp_default
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))


@dataclass(frozen=True)
class VocTruth:
    """Hold an image's objects: boxes float32 (N, 4) as (x1, y1, x2, y2), labels int (N,), difficult bool (N,)."""

    boxes: Boxes
    labels: NDArray[np.int64]
    difficult: NDArray[np.bool_]

    def of(self, label: int) -> tuple[Boxes, Boxes]:
        """Return the boxes of one class: those that count, and the difficult ones."""
        mine = self.labels == label
        return self.boxes[mine & ~self.difficult], self.boxes[mine & self.difficult]


@dataclass(frozen=True)
class VocFound:
    """Hold an image's detections: boxes float32 (N, 4) as (x1, y1, x2, y2), scores float32 (N,), labels int (N,)."""

    boxes: Boxes
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    def of(self, label: int) -> NDArray[np.float32]:
        """Return one class's detections as float32 (M, 5): box and score."""
        mine = self.labels == label
        return np.hstack([self.boxes[mine], self.scores[mine, None]])


def voc_metrics(truths: Sequence[VocTruth], found: Sequence[VocFound], classes: int) -> dict[str, float]:
    """Return ``voc/mAP``, ``voc/AP50`` and ``voc/AP75``, 0 to 1, or nothing when no object counts.

    AP is the 11-point one of Pascal VOC 2007: precision is the best at any recall of at least 0, .1, ..., 1, averaged
    over these eleven. ``voc/AP50`` asks for an IoU of .5, ``voc/AP75`` for .75; ``voc/mAP`` is the mean over .5, .55, ..., .95. All are means
    over the classes that have an object. Boxes count their last pixel, as VOC's do: sides are x2 - x1 + 1. A detection
    whose best match is difficult counts neither way. The n-th items of ``truths`` and ``found`` belong to one image.
    Equal to mmdet's ``VOCMetric`` with ``eval_mode="11points"``, which rounds, and forks processes.
    """
    precisions = [_class_precisions(truths, found, label) for label in range(classes)]
    counted = [values for values in precisions if values is not None]
    if not counted:
        return {}
    by_threshold = np.asarray(counted, np.float64).mean(axis=0)
    return {
        "voc/mAP": float(by_threshold.mean()),
        "voc/AP50": float(by_threshold[0]),
        "voc/AP75": float(by_threshold[THRESHOLDS.index(0.75)]),
    }


def _class_precisions(truths: Sequence[VocTruth], found: Sequence[VocFound], label: int) -> list[float] | None:
    """Return one class's AP at each threshold, ``None`` when it has no object."""
    boxes = [truth.of(label) for truth in truths]
    objects = sum(len(counting) for counting, _ in boxes)
    if not objects:
        return None
    detected = [item.of(label) for item in found]
    used = [(some, *pair) for some, pair in zip(detected, boxes, strict=True) if len(some)]
    return [_precision(used, objects, threshold) for threshold in THRESHOLDS]


def _precision(images: Sequence[tuple[Any, Boxes, Boxes]], objects: int, threshold: float) -> float:
    if not images:
        return 0.0
    marks = [tpfp_default(*image, iou_thr=threshold, use_legacy_coordinate=True) for image in images]
    order = np.argsort(-np.concatenate([image[0][:, -1] for image in images]))
    right, wrong = (np.hstack(part)[0, order].cumsum() for part in zip(*marks, strict=True))
    precision = right / np.maximum(right + wrong, np.finfo(np.float32).eps)
    return float(average_precision(right / np.float64(objects), precision, "11points"))
