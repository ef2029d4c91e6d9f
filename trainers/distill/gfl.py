"""Adapt mmdet's GFL head: flatten its predictions, and tell how its anchors were assigned."""

from typing import Any

import torch
from mmdet.structures.bbox import distance2bbox
from mmdet.utils import reduce_mean
from torch import Tensor

from trainers.distill.views import Anchors, Predictions

HEAD = "GFLHead"


def predictions(head: Any, outs: tuple[list[Tensor], list[Tensor]]) -> Predictions:
    """Flatten ``(cls_scores, bbox_preds)``, lists over levels of (B, C, H, W) and (B, 4 * bins, H, W).

    Boxes are the integral of the softmax over bins around the anchor's centre, in stride units, as in the authors'
    code (``Integral``, ``distance2bbox`` without clipping). Gradient flows to both outputs.
    """
    cls_scores, bbox_preds = outs
    distances = head.integral(_flatten(bbox_preds, 4 * (head.reg_max + 1)))
    centres = _centres(head, cls_scores).repeat(len(cls_scores[0]), 1)
    return Predictions(_flatten(cls_scores, head.cls_out_channels), distance2bbox(centres, distances))


def anchors(targets: Any) -> Anchors:
    """Flatten what ``GFLHead.get_targets`` returned: lists over levels of (B, anchors of the level)."""
    _, labels, label_weights, _, bbox_weights, positives = targets
    sizes = torch.tensor([level.shape[1] for level in labels])
    level_of_image = torch.repeat_interleave(torch.arange(len(labels)), sizes)
    normaliser = reduce_mean(torch.as_tensor(positives, dtype=torch.float32, device=labels[0].device))
    return Anchors(
        weight_A=torch.cat(label_weights, 1).flatten(),
        positive_A=(torch.cat(bbox_weights, 1)[..., 0] > 0).flatten(),
        level_A=level_of_image.repeat(labels[0].shape[0]).to(labels[0].device),
        num_levels=len(labels),
        normaliser=normaliser.clamp(min=1.0),
    )


def _flatten(levels: list[Tensor], channels: int) -> Tensor:
    """Return (A, channels) from levels of (B, channels, H, W)."""
    rows = [level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, channels) for level in levels]
    return torch.cat(rows, 1).reshape(-1, channels)


def _centres(head: Any, cls_scores: list[Tensor]) -> Tensor:
    """Return the anchor centres of one image, (anchors, 2), each divided by its level's stride."""
    sizes = [score.shape[-2:] for score in cls_scores]
    priors = head.prior_generator.grid_priors(sizes, dtype=torch.float32, device=cls_scores[0].device)
    strides = head.prior_generator.strides
    return torch.cat([head.anchor_center(level) / stride[0] for level, stride in zip(priors, strides, strict=True)])
