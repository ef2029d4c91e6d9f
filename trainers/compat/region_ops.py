"""Compute mmcv's operators on regions of interest by torchvision, and its groups of overlapping boxes.

The conventions are those of ``trainers.compat.ops``: results are written into the buffers that the caller hands over.
"""

import torch
import torchvision
from torch import Tensor

from trainers.compat.half_inputs import widen

AVERAGE = 1  # mmcv's number for the mean of a cell's samples; 0 is their maximum


@torch.no_grad()
def roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    _argmax_y: Tensor,
    _argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the mean of bilinear samples in each cell of each region into ``output`` (R, C, height, width).

    ``features`` (B, C, H, W); ``rois`` (R, 5) as (image, x1, y1, x2, y2) in pixels of an image that is
    1 / ``spatial_scale`` as large. A cell has ``sampling_ratio`` squared samples, 0: as many as it has pixels. ``aligned``
    shifts regions by half a pixel. Raises ``NotImplementedError`` for the maximum instead of the mean.
    """
    _require_average(pool_mode)
    size = (spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned)
    output.copy_(torch.ops.torchvision.roi_align(*widen(features, rois.to(features.dtype)), *size))


@torch.no_grad()
def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    _argmax_y: Tensor,
    _argmax_x: Tensor,
    grad_features: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient for the features; regions get none. Shapes as in ``roi_align_forward``."""
    _require_average(pool_mode)
    size = (spatial_scale, aligned_height, aligned_width, *grad_features.shape, sampling_ratio, aligned)
    tensors = widen(grad_output, rois.to(grad_output.dtype))
    grad_features.copy_(torch.ops.torchvision._roi_align_backward(*tensors, *size))


def _require_average(pool_mode: int) -> None:
    if pool_mode != AVERAGE:
        raise NotImplementedError(
            "mmcv's operator 'roi_align' with pool_mode='max' is not available with mmcv-lite: torchvision has the mean alone"
        )


@torch.no_grad()
def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Return the groups of boxes that greedy suppression makes: each kept box, then those that it suppresses.

    ``dets`` (N, 5) as (x1, y1, x2, y2, score). Groups, and the boxes in each, come in falling order of score. A box goes
    when its IoU with the kept one is ``iou_threshold`` or more.
    """
    order = dets[:, 4].sort(descending=True, stable=True).indices
    ious = torchvision.ops.box_iou(dets[order, :4], dets[order, :4]).nan_to_num(0.0)
    left = torch.ones(len(order), dtype=torch.bool)
    groups: list[list[int]] = []
    for place in range(len(order)):
        if left[place]:
            left[place] = False
            met = left & (ious[place] >= iou_threshold)
            left &= ~met
            groups.append([int(order[place]), *order[met].tolist()])
    return groups
