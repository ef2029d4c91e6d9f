"""Make preprocessed batches by hand, with the objects where a test wants them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """Hold one image's size (height, width) and its objects as (class label, box in pixels)."""

    size: tuple[int, int]
    objects: tuple[tuple[int, Box], ...] = ()


# No centre of the third level (multiples of 32) lies in an object of the first two: it has no positive there.
CROWD = Scene((64, 96), ((0, (10.0, 9.0, 19.0, 18.0)), (1, (40.0, 8.0, 57.0, 23.0)), (2, (60.0, 40.0, 69.0, 50.0))))
UPRIGHT = Scene((96, 64), ((2, (4.0, 70.0, 20.0, 87.0)), (0, (40.0, 5.0, 50.0, 14.0))))
LARGE = Scene((64, 64), ((1, (15.0, 17.0, 49.0, 50.0)), (0, (1.0, 2.0, 10.0, 10.0))))
EMPTY = Scene((64, 64))


def preprocess(detector: Any, scenes: Sequence[Scene], seed: int = 0) -> tuple[Tensor, Any]:
    """Return the batch of random pixels and the scenes' objects, padded and normalised as the detector wants it."""
    generator = torch.Generator().manual_seed(seed)
    pixels = [torch.randint(0, 256, (3, *scene.size), generator=generator, dtype=torch.uint8) for scene in scenes]
    data = detector.data_preprocessor(
        {"inputs": pixels, "data_samples": [data_sample(scene) for scene in scenes]}, True
    )
    return data["inputs"], data["data_samples"]


def data_sample(scene: Scene) -> Any:
    """Return mmdet's description of a scene, with its objects."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    sample = DetDataSample(metainfo={"img_shape": scene.size, "ori_shape": scene.size, "scale_factor": (1.0, 1.0)})
    boxes = torch.tensor([box for _, box in scene.objects], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([label for label, _ in scene.objects], dtype=torch.int64)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return sample
