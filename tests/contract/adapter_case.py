"""Say which heads the adapter suite is run on, and build small detectors that have them."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mmengine.logging import MessageHub
from torch import Tensor, nn

from tests.unit.trainers.tiny_heads import CLASSES, config_of, woken
from trainers.distill.adapters.base import Adapter, adapter_for
from trainers.distill.head_outputs import HeadOutputs
from trainers.schema.heads import BUILT_IN, HeadSpec, heads

CONFIGS = {
    "GFLHead": [Path(__file__).with_name("adapter_gfl.py")],
    "ATSSHead": [config_of("atss")],
    "FCOSHead": [config_of("fcos"), config_of("fcos_normed")],
    "RetinaHead": [config_of("retinanet")],
    "YOLOXHead": [config_of("yolox")],
    "RTMDetSepBNHead": [config_of("rtmdet"), config_of("rtmdet_linear")],
    "TOODHead": [config_of("tood"), config_of("tood_initial")],
    "VFNetHead": [config_of("vfnet"), config_of("vfnet_focal")],
}


@dataclass(frozen=True)
class Case:
    """Name a head and the config of a detector that has it: 64 x 96 pixels have to be enough for each of its levels."""

    spec: HeadSpec
    config: Path

    def build(self, seed: int, classes: int = CLASSES) -> Any:
        """Return a new detector, equal for equal seeds, whose outputs differ from anchor to anchor."""
        MessageHub.get_current_instance().update_info("epoch", 0)  # a plain TOOD asks mmengine's runner for it
        return woken(self.config, seed, classes)


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


def freeze_norms(detector: Any) -> Any:
    """Put the norms that remember statistics in evaluation mode and return the detector."""
    for layer in detector.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
    return detector


def seen(detector: Any, inputs: Tensor) -> tuple[Adapter, HeadOutputs]:
    """Return a detector's adapter and what it sees."""
    adapter = adapter_for(detector)
    return adapter, adapter.forward(inputs)
