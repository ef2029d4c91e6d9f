"""Scale whole training batches to changing sizes, as YOLOX is trained."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from trainers.data.seeding import derive
from trainers.schema.image_pipeline import BatchScales

Size = tuple[int, int]  # (height, width) in pixels


def batch_size_at(spec: BatchScales, seed: int, step: int) -> int:
    """Return the short side in pixels of the batch at ``step``, counted from 0.

    It is one of the multiples of ``spec.divisor`` within ``spec.short``, each as likely, and a function of
    (seed, step // every) alone: the same on every worker and after every restart. mmdet's ``BatchSyncRandomResize``
    leaves the first ``every`` steps at the batch's own size; here they are drawn like the others.
    """
    low, high = (side // spec.divisor for side in spec.short)
    return spec.divisor * (low + derive(seed, "batch scale", step // spec.every) % (high - low + 1))


def scaled_size(size: Size, short: int, divisor: int) -> Size:
    """Return (height, width) for a batch of ``size``: one side ``short``, the other in proportion, cut to ``divisor``."""
    height, width = size
    longer = divisor * (short * max(size) // (min(size) * divisor))
    return (short, longer) if height <= width else (longer, short)


def resize_batch(inputs: Tensor, samples: list[Any], size: Size) -> Tensor:
    """Return a preprocessed batch scaled to ``size`` (height, width), and scale its samples' boxes in place.

    ``inputs`` is float (B, 3, H, W). ``samples`` hold boxes as float (N, 4), (x1, y1, x2, y2) in pixels of the padded
    input, in ``gt_instances`` and ``ignored_instances``; ``img_shape``, ``pad_shape`` and ``batch_input_shape`` are
    changed with them. Bilinear; no gradient is expected to flow. For a second detector's inputs of the same batch use
    ``resize_inputs``: samples must be scaled once.
    """
    factors = (size[0] / inputs.shape[-2], size[1] / inputs.shape[-1])
    for sample in samples if factors != (1.0, 1.0) else ():
        _scale_sample(sample, factors, size)
    return resize_inputs(inputs, size)


def resize_inputs(inputs: Tensor, size: Size) -> Tensor:
    """Return images, float (B, 3, H, W), scaled to ``size`` (height, width) bilinearly, with pixel centres at .5."""
    if tuple(inputs.shape[-2:]) == size:
        return inputs
    return interpolate(inputs, size=size, mode="bilinear", align_corners=False)


def _scale_sample(sample: Any, factors: tuple[float, float], size: Size) -> None:
    for name in ("gt_instances", "ignored_instances"):
        if name in sample:
            instances = sample.get(name)
            instances.bboxes = instances.bboxes * _per_coordinate(instances.bboxes, factors)
    shapes = {name: _scaled(sample.get(name), factors) for name in ("img_shape", "pad_shape") if name in sample}
    sample.set_metainfo({**shapes, "batch_input_shape": size})


def _per_coordinate(boxes: Tensor, factors: tuple[float, float]) -> Tensor:
    return torch.tensor([factors[1], factors[0]] * 2, dtype=boxes.dtype, device=boxes.device)


def _scaled(shape: Any, factors: tuple[float, float]) -> Size:
    return int(shape[0] * factors[0]), int(shape[1] * factors[1])
