"""Give a graph of operators those of mmdet's computations that mmdet hides in private parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.models.dense_heads import base_dense_head, gfl_head
from torch import Tensor

NONE = -1.0  # the score of a place that no candidate takes
CALLERS = (base_dense_head, gfl_head)  # the heads' modules import the function by name


@contextmanager
def choices_of_fixed_size() -> Iterator[None]:
    """Let the heads choose by ``best_candidates`` in place of mmdet's ``filter_scores_and_topk`` inside the block."""
    real = [module.filter_scores_and_topk for module in CALLERS]
    for module in CALLERS:
        module.filter_scores_and_topk = best_candidates
    try:
        yield
    finally:
        for module, function in zip(CALLERS, real, strict=True):
            module.filter_scores_and_topk = function


def best_candidates(
    scores: Tensor, score_thr: float, topk: int, results: dict[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor, dict[str, Any]]:
    """Return the ``topk`` best pairs of prior and class: scores, labels, priors' indices, and their rows of ``results``.

    ``scores`` (A, C). Pairs whose score is not above ``score_thr`` get the score ``NONE``, and so do the rows that are
    added where a level has fewer than ``topk`` pairs. mmdet's own function returns the others alone, in the same order.
    """
    pairs = torch.where(scores > score_thr, scores, NONE).flatten()
    best, places = torch.cat([pairs, pairs.new_full((topk,), NONE)]).topk(topk)
    places = torch.where(best > NONE, places, 0)
    priors, labels = places // scores.shape[1], places % scores.shape[1]
    return best, labels, priors, {name: values[priors] for name, values in results.items()}


def yolox_boxes(head: Any, priors: Tensor, deltas: Tensor) -> Tensor:
    """Return the boxes (A, 4) as (x1, y1, x2, y2) that ``deltas`` (A, 4) of YOLOX mean at ``priors`` (A, 4)."""
    boxes: Tensor = head._bbox_decode(priors, deltas[None])[0]
    return boxes


def takes_rgb(preprocessor: Any) -> bool:
    """Return whether the network sees red first; images are loaded with blue first."""
    return bool(preprocessor._channel_conversion)


def normalised(preprocessor: Any, pixels: Tensor) -> Tensor:
    """Return ``pixels`` (3, H, W) with mean and deviation of the preprocessor, if it has any, taken out."""
    return (pixels - preprocessor.mean) / preprocessor.std if preprocessor._enable_normalize else pixels
