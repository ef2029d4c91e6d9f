"""Make the images that costs are measured on."""

import math
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData


def noise_image(detector: Any, size: tuple[int, int]) -> tuple[torch.Tensor, list[Any]]:
    """Return noise (1, 3, H, W) in the place of a normalised image, and mmdet's description of it.

    ``size`` is (width, height). Sides are padded to the multiple that the detector pads batches to.
    """
    height, width = padded(detector, size)
    pixels = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    return pixels, [_described(size, (height, width))]


def annotated_images(detector: Any, size: tuple[int, int], images: int, objects: int) -> tuple[torch.Tensor, list[Any]]:
    """Return images (B, 3, H, W) without content, of ``size`` (width, height) and padded, each with ``objects`` boxes."""
    height, width = padded(detector, size)
    samples = [_described(size, (height, width)) for _ in range(images)]
    for sample in samples:
        sample.gt_instances, sample.ignored_instances = _instances(objects), _instances(0)
    return torch.empty(images, 3, height, width), samples


def padded(detector: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) that the detector pads images of ``size`` (width, height) to."""
    divisor = getattr(detector.data_preprocessor, "pad_size_divisor", 1)
    width, height = (math.ceil(side / divisor) * divisor for side in size)
    return height, width


def _described(size: tuple[int, int], canvas: tuple[int, int]) -> Any:
    shape = (size[1], size[0])
    described = {
        "img_id": 0, "img_shape": shape, "ori_shape": shape, "pad_shape": canvas, "batch_input_shape": canvas,
        "scale_factor": (1.0, 1.0),
    }  # fmt: skip
    return DetDataSample(metainfo=described)


def _instances(count: int) -> Any:
    return InstanceData(bboxes=torch.zeros(count, 4), labels=torch.zeros(count, dtype=torch.int64))
