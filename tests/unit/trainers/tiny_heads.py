"""Build small detectors of every head, whose outputs differ from anchor to anchor."""

from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import nn

from trainers.detectors.detector import build_empty
from trainers.schema import Detector

CLASSES = 3


def config_of(name: str) -> Path:
    """Return the config beside this file that is called ``tiny_<name>``."""
    return Path(__file__).with_name(f"tiny_{name}.py")


def woken(config: Path, seed: int, classes: int = CLASSES) -> Any:
    """Return a new detector, equal for equal seeds, whose outputs differ from anchor to anchor."""
    MMLogger.get_instance("mmengine").setLevel("WARNING")  # it prints a paragraph for every initialised tensor
    model = build_empty(Detector(config=str(config), weights="random"), classes, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in predictors(model.bbox_head):
            layer.weight.normal_(0.0, 0.05, generator=generator)
            layer.bias += 1.0  # some heads' boxes have no size at the start
        for name, weight in model.backbone.named_parameters():
            if name.endswith("bn2.weight"):  # 0 at the start, which hides the convolutions before it
                weight.fill_(0.5)
    return model


def predictors(head: Any) -> list[Any]:
    """Return the head's last convolutions: those in none of mmcv's blocks of convolution, norm and activation."""
    blocks = [block for block in head.modules() if type(block).__name__.endswith("ConvModule")]
    inside = {id(layer) for block in blocks for layer in block.modules()}
    return [layer for layer in head.modules() if isinstance(layer, nn.Conv2d) and id(layer) not in inside]


def fitting(detector: Any) -> Any:
    """Make a detector's losses those of a training and return it.

    An RTMDet's boxes overlap the objects, so that the sum of overlaps is above 1; a VFNet's head gives its first boxes too,
    which it does in training mode only.
    """
    head = detector.bbox_head
    for layer in getattr(head, "rtm_reg", ()):
        nn.init.zeros_(layer.bias)
    if type(head).__name__ == "VFNetHead":
        head.train()
    return detector
