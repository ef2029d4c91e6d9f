"""Suppress overlapping candidates by ONNX's ``NonMaxSuppression``, with the offsets by class that mmdet uses."""

from collections.abc import Callable
from typing import Any

import torch
import torchvision
from torch import Tensor

from trainers.compat.mmdet_export import NONE
from trainers.onnx_export.candidates import Candidates

LIMIT = NONE / 2  # candidates have scores of 0 and above
ALL = 2**31 - 1  # detections of an image: YOLOX keeps all


def suppressed(found: Candidates, iou_threshold: float, most: int, *, class_agnostic: bool = False) -> Candidates:
    """Return the ``most`` best candidates that no better one of their class overlaps by more than ``iou_threshold``.

    They come in falling order of score. Boxes of different classes are moved apart by a multiple of the largest coordinate
    plus 1, as mmcv's ``batched_nms`` moves them.
    """
    boxes = found.boxes
    if not class_agnostic:
        largest = torch.where(found.scores[:, None] > LIMIT, boxes, 0.0).max()
        boxes = boxes + (found.labels.to(boxes) * (largest + 1))[:, None]
    kept = keep(boxes, found.scores, iou_threshold, most)
    return Candidates(found.boxes[kept], found.scores[kept], found.labels[kept])


@torch.library.custom_op("stillhouse::keep", mutates_args=())
def keep(boxes: Tensor, scores: Tensor, iou_threshold: float, most: int) -> Tensor:
    """Return the indices, int64 (K,), of boxes (N, 4) that greedy suppression keeps, best score first."""
    there = (scores > LIMIT).nonzero()[:, 0]
    kept: Tensor = torchvision.ops.nms(boxes[there], scores[there], iou_threshold)
    return there[kept[:most]]


@keep.register_fake
def _(boxes: Tensor, scores: Tensor, iou_threshold: float, most: int) -> Tensor:
    return scores.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=torch.int64)


def translations() -> dict[Any, Callable[..., Any]]:
    """Return how ``keep`` becomes operators of ONNX, for ``torch.onnx.export``."""
    import onnxscript  # of the extra ``onnx``

    op: Any = onnxscript.opset18

    def translate(boxes: Any, scores: Any, iou_threshold: float, most: int) -> Any:
        first, both = op.Constant(value_ints=[0]), op.Constant(value_ints=[0, 1])
        chosen = op.NonMaxSuppression(
            op.Unsqueeze(boxes, first),
            op.Unsqueeze(scores, both),
            op.Constant(value_ints=[most]),
            op.Constant(value_floats=[iou_threshold]),
            op.Constant(value_floats=[LIMIT]),
        )
        return op.Gather(chosen, op.Constant(value_int=2), axis=1)  # rows are (image, class, box)

    return {torch.ops.stillhouse.keep.default: translate}
