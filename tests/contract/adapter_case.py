"""Say which heads the adapter suite is run on, and build small detectors that have them."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from trainers.detector import build_empty
from trainers.distill.adapters.base import Adapter, adapter_for
from trainers.distill.views import View
from trainers.spec import Detector
from trainers.spec.heads import BUILT_IN, HeadSpec, heads

CLASSES = 3
HERE, TINY = Path(__file__).parent, Path(__file__).parents[1] / "unit" / "trainers"
CONFIGS = {
    "GFLHead": [HERE / "adapter_gfl.py"],
    "ATSSHead": [TINY / "tiny_atss.py"],
    "FCOSHead": [TINY / "tiny_fcos.py", TINY / "tiny_fcos_normed.py"],
    "RetinaHead": [TINY / "tiny_retinanet.py"],
    "YOLOXHead": [TINY / "tiny_yolox.py"],
}


@dataclass(frozen=True)
class Case:
    """Name a head and the config of a detector that has it: 64 x 96 pixels have to be enough for each of its levels."""

    spec: HeadSpec
    config: Path

    def build(self, seed: int, classes: int = CLASSES) -> Any:
        """Return a new detector, equal for equal seeds, whose outputs differ from anchor to anchor."""
        MMLogger.get_instance("mmengine").setLevel("WARNING")  # it prints a paragraph for every initialised tensor
        model = build_empty(Detector(config=str(self.config), weights="random"), classes, seed)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in predictors(model.bbox_head):
                layer.weight.normal_(0.0, 0.05, generator=generator)
                layer.bias += 1.0  # some heads' boxes have no size at the start
            for name, weight in model.backbone.named_parameters():
                if name.endswith("bn2.weight"):  # 0 at the start, which hides the convolutions before it
                    weight.fill_(0.5)
        return model


def cases(config: pytest.Config) -> list[Case]:
    """Return the built-in heads, or the one that the command line asks for."""
    place, file = config.getoption("--adapter-head"), config.getoption("--adapter-config")
    if place is None and file is None:
        return [Case(spec, path) for spec in BUILT_IN for path in CONFIGS[spec.head]]
    if place is None or file is None:
        raise pytest.UsageError("--adapter-head module:HEADSPEC and --adapter-config path.py are given together")
    module, _, name = place.partition(":")
    spec = getattr(import_module(module), name)
    heads()[spec.head] = spec  # as its entry point would
    return [Case(spec, Path(file).resolve())]


def predictors(head: Any) -> list[Any]:
    """Return the head's last convolutions: those in none of mmcv's blocks of convolution, norm and activation."""
    blocks = [block for block in head.modules() if type(block).__name__.endswith("ConvModule")]
    inside = {id(layer) for block in blocks for layer in block.modules()}
    return [layer for layer in head.modules() if isinstance(layer, nn.Conv2d) and id(layer) not in inside]


def freeze_norms(detector: Any) -> Any:
    """Put the norms that remember statistics in evaluation mode and return the detector."""
    for layer in detector.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
    return detector


def seen(detector: Any, inputs: Tensor) -> tuple[Adapter, View]:
    """Return a detector's adapter and what it sees."""
    adapter = adapter_for(detector)
    return adapter, adapter.look(inputs)
