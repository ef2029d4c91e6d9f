"""Make training batches like COCO's: random pixels, and about seven objects of all sizes an image."""

from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

OBJECTS, CLASSES = 7, 80  # COCO has 7.3 objects an image


def batch(detector: Any, images: int, size: tuple[int, int]) -> tuple[Tensor, Any]:
    """Return pixels (B, 3, H, W) and samples, preprocessed as ``detector`` wants it, on its device."""
    rng = np.random.default_rng(0)
    pixels = [torch.from_numpy(rng.integers(0, 256, (3, *size), dtype=np.uint8)) for _ in range(images)]
    raw = {"inputs": pixels, "data_samples": [_sample(rng, size) for _ in range(images)]}
    data = detector.data_preprocessor(raw, True)
    return data["inputs"], data["data_samples"]


def _sample(rng: np.random.Generator, size: tuple[int, int]) -> Any:
    sample = DetDataSample(metainfo={"img_shape": size, "ori_shape": size, "scale_factor": (1.0, 1.0), "img_id": 1})
    corner = np.array([size[1], size[0]])
    sides = corner * np.exp(rng.uniform(np.log(0.06), np.log(0.8), (OBJECTS, 2)))
    low = rng.uniform(0, 1, (OBJECTS, 2)) * (corner - sides)
    boxes = torch.from_numpy(np.concatenate([low, low + sides], 1)).float()
    labels = torch.from_numpy(rng.integers(0, CLASSES, OBJECTS))
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return sample
