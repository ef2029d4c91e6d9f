"""Wake a new detector up: give it outputs that differ from anchor to anchor and depend on every weight."""

from typing import Any

import torch

from tests.unit.trainers.tiny import detector
from trainers.detectors.detector import build_empty

CLASSES = 3


def awake(width: float, seed: int, score: float = 0.0) -> Any:
    """Return a tiny GFL with random output layers; ``score`` is added to every class logit."""
    model = build_empty(detector(width), CLASSES, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in (model.bbox_head.gfl_cls, model.bbox_head.gfl_reg):
            layer.weight.normal_(0.0, 0.05, generator=generator)
        model.bbox_head.gfl_cls.bias += score
        for name, weight in model.backbone.named_parameters():
            if name.endswith("bn2.weight"):  # 0 at the start, which hides the convolutions before it
                weight.fill_(0.5)
    return model
