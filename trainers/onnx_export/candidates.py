"""Compute a detector's candidates: boxes before overlaps are suppressed, in shapes that no score decides."""

from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainers.compat.mmdet_export import NONE, choices_of_fixed_size, yolox_boxes


class Candidates(NamedTuple):
    """Hold boxes (N, 4) as (x1, y1, x2, y2) in pixels, scores (N,) and labels (N,).

    The score is ``NONE`` where there is no candidate.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def candidates(head: Any, features: tuple[Tensor, ...], height: int, width: int) -> Candidates:
    """Return the candidates of one image of ``height`` x ``width`` pixels, whose features (1, C, H, W) are given."""
    outputs = head(features)
    found = _of_yolox(head, *outputs) if type(head).__name__ == "YOLOXHead" else _of_dense(head, outputs, height, width)
    return _sized(found) if head.test_cfg.get("min_bbox_size", -1) >= 0 else found


def _of_dense(head: Any, outputs: tuple[list[Tensor], ...], height: int, width: int) -> Candidates:
    """Return the candidates of a head that predicts as mmdet's ``BaseDenseHead`` does."""
    config = deepcopy(head.test_cfg)
    config.min_bbox_size = -1
    with choices_of_fixed_size():
        [found] = head.predict_by_feat(
            *outputs, batch_img_metas=[{"img_shape": (height, width)}], cfg=config, with_nms=False
        )
    return Candidates(found.bboxes, found.scores, found.labels)


def _of_yolox(head: Any, logits: list[Tensor], deltas: list[Tensor], objectness: list[Tensor]) -> Candidates:
    """Return the candidates of YOLOX: for each place the class of the highest score, if that is not below the limit."""
    priors = head.prior_generator.grid_priors([level.shape[2:] for level in logits], device="cpu", with_stride=True)
    best, labels = _rows(logits).sigmoid().max(dim=1)
    scores = best * _rows(objectness).sigmoid()[:, 0]
    boxes = yolox_boxes(head, torch.cat(priors), _rows(deltas))
    return Candidates(boxes, torch.where(scores >= head.test_cfg.score_thr, scores, NONE), labels)


def _rows(levels: list[Tensor]) -> Tensor:
    """Return maps (1, C, H, W) as the rows (sum of H * W, C) of all places."""
    return torch.cat([level[0].permute(1, 2, 0).flatten(0, 1) for level in levels])


def _sized(found: Candidates) -> Candidates:
    """Return the candidates without those whose box has no width or no height."""
    sized = ((found.boxes[:, 2:] - found.boxes[:, :2]) > 0).all(dim=1)
    return found._replace(scores=torch.where(sized, found.scores, NONE))
