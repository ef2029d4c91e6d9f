"""Make the one image that costs are measured on."""

import math
from typing import Any

import torch
from mmdet.structures import DetDataSample


def noise_image(detector: Any, size: tuple[int, int]) -> tuple[torch.Tensor, list[Any]]:
    """Return noise (1, 3, H, W) in the place of a normalised image, and mmdet's description of it.

    ``size`` is (width, height). Sides are padded to the multiple that the detector pads batches to.
    """
    divisor = getattr(detector.data_preprocessor, "pad_size_divisor", 1)
    height, width = (math.ceil(side / divisor) * divisor for side in reversed(size))
    pixels = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    shape = (size[1], size[0])
    described = {
        "img_id": 0, "img_shape": shape, "ori_shape": shape, "pad_shape": (height, width),
        "batch_input_shape": (height, width), "scale_factor": (1.0, 1.0),
    }  # fmt: skip
    return pixels, [DetDataSample(metainfo=described)]
