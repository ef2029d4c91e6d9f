"""Find the valuable localization region of LD (CVPR 2022): anchors near an object, yet too far to be assigned to it.

Shape suffixes of this file: M anchors of one image, G its objects, S candidates of an object.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from trainers.distill.losses.boxes import pairwise_overlaps
from trainers.distill.losses.checks import shape_of
from trainers.distill.losses.precision import autocast_off


@torch.no_grad()
def vlr_weight(
    anchors_M4: Tensor,
    objects_G4: Tensor,
    level_sizes: Sequence[int],
    *,
    valid_M: Tensor | None = None,
    topk: int = 9,
    ratio: float = 0.25,
    overlap: Literal["iof", "iou"] = "iof",
) -> Tensor:
    """Weigh each anchor of one image by its IoU with the object in whose region it lies.

    ::

        t_g = mean + std of the IoUs of g's candidates: on each level, the ``topk`` anchors with the closest centres
        region_g = anchors with ratio * t_g <= overlap(anchor, g) - penalty(anchor, g) < t_g
        v_i = max over {g: i in region_g} of IoU_ig, 0 if there is none

    The penalty is the squared distance of the centres over the squared diagonal of the enclosing box.

    Args:
        anchors_M4: anchor boxes x1, y1, x2, y2, level by level.
        objects_G4: boxes of the image's objects, same unit.
        level_sizes: number of anchors of each level, adding up to M.
        valid_M: bool, False for anchors that do not exist for the assigner (padding): no candidates, weight 0. None
            for all.
        topk: candidates for each object and level, at least 1; a level with fewer anchors gives all.
        ratio: where the region ends, in parts of ``t_g``.
        overlap: ``iof`` divides the intersection by the anchor's area, as the authors' code does under the name of
            DIoU; ``iou`` by the union, which makes the difference the DIoU that the paper names.

    Returns:
        (M,), float32 or wider, in [0, 1]. All 0 for an image without objects.

    Gradient: none.

    Workers: an image's weights depend on that image only; nothing to reduce.

    Source: LD, algorithm of the valuable localization region, and the authors' assigner: the deviation is unbiased,
    the weight is the IoU (the paper's region is a mask), and positives in the region keep their weight, so that Main
    LD and VLR LD both see them. Different here: an
    image without objects gets zeros (there, an object that the loss cannot read), and an object with a single candidate
    has deviation 0 (there NaN, hence no region).

    Raises:
        ValueError: shapes or ``level_sizes`` disagree, ``topk`` is below 1, or ``overlap`` is unknown.
    """
    if overlap not in ("iof", "iou"):
        raise ValueError(f"overlap must be 'iof' or 'iou', got {overlap!r}")
    _check(anchors_M4, objects_G4, level_sizes, valid_M, topk)
    valid_M = torch.ones_like(anchors_M4[:, 0], dtype=torch.bool) if valid_M is None else valid_M
    with autocast_off(anchors_M4):
        anchors_M4 = anchors_M4.masked_fill(~valid_M[:, None], 0.0)  # of IoU 0, hence of weight 0, with any object
        iou_MG, iof_MG, penalty_MG = pairwise_overlaps(anchors_M4, objects_G4)
        if iou_MG.numel() == 0:
            return iou_MG.new_zeros(len(anchors_M4))
        distance_MG = _squared_distance(anchors_M4, objects_G4).masked_fill(~valid_M[:, None], torch.inf)
        threshold_G = _threshold(distance_MG, iou_MG, level_sizes, topk)
        closeness_MG = (iof_MG if overlap == "iof" else iou_MG) - penalty_MG
        inside_MG = (closeness_MG >= ratio * threshold_G) & (closeness_MG < threshold_G)
        return iou_MG.masked_fill(~inside_MG, 0.0).amax(dim=1)


def _squared_distance(anchors_M4: Tensor, objects_G4: Tensor) -> Tensor:
    centres_M2 = (anchors_M4[:, :2] + anchors_M4[:, 2:]) / 2
    centres_G2 = (objects_G4[:, :2] + objects_G4[:, 2:]) / 2
    return (centres_M2[:, None] - centres_G2).square().sum(dim=2)


def _threshold(distance_MG: Tensor, iou_MG: Tensor, level_sizes: Sequence[int], topk: int) -> Tensor:
    """Add mean and unbiased deviation of the candidates' IoUs; an infinite distance is no candidate."""
    near_SG, iou_SG = _candidates(distance_MG, iou_MG, level_sizes, topk)
    real_SG = near_SG.isfinite()
    count_G = real_SG.sum(dim=0)
    mean_G = (iou_SG * real_SG).sum(dim=0) / count_G.clamp(min=1)
    variance_G = ((iou_SG - mean_G).square() * real_SG).sum(dim=0) / (count_G - 1).clamp(min=1)
    return mean_G + variance_G.sqrt()


def _candidates(distance_MG: Tensor, iou_MG: Tensor, level_sizes: Sequence[int], topk: int) -> tuple[Tensor, Tensor]:
    """Return distance and IoU of the anchors with the closest centres, ``topk`` of each level, as (S, G)."""
    near, overlaps = [], []
    for distance_mG, iou_mG in zip(distance_MG.split(level_sizes), iou_MG.split(level_sizes), strict=True):
        closest = distance_mG.topk(min(topk, len(distance_mG)), dim=0, largest=False)
        near.append(closest.values)
        overlaps.append(iou_mG.gather(0, closest.indices))
    return torch.cat(near), torch.cat(overlaps)


def _check(
    anchors_M4: Tensor, objects_G4: Tensor, level_sizes: Sequence[int], valid_M: Tensor | None, topk: int
) -> None:
    for name, boxes_X4 in (("anchors", anchors_M4), ("objects", objects_G4)):
        if boxes_X4.ndim != 2 or boxes_X4.shape[1] != 4:
            raise ValueError(f"{name} must be boxes of shape (number, 4), got {shape_of(boxes_X4)}")
    if sum(level_sizes) != len(anchors_M4):
        raise ValueError(f"level_sizes {list(level_sizes)} must add up to the {len(anchors_M4)} anchors")
    if valid_M is not None and (valid_M.shape != anchors_M4.shape[:1] or valid_M.dtype != torch.bool):
        raise ValueError(f"valid must be bool and ({len(anchors_M4)},), got {valid_M.dtype} and {shape_of(valid_M)}")
    if topk < 1:
        raise ValueError(f"topk must be at least 1, got {topk}")
