"""Build an mmdet detector from its config and the study's typed overrides."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from trainers.errors import TrialError
from trainers.pretrained import load_imagenet
from trainers.seeding import seed_everything
from trainers.spec import Detector

GROUP = 32  # channels of neck and head stay multiples of it: their group norm has 32 groups
BASE_CHANNELS = 64
BASIC_DEPTHS = (18, 34)


def config_path(name: str) -> Path:
    """Return the file of a detector config: ``mmdet::path`` or a path."""
    if not name.startswith("mmdet::"):
        return Path(name)
    spec = find_spec("mmdet")
    if spec is None or spec.origin is None:
        raise TrialError("mmdet is not installed")
    return Path(spec.origin).parent / ".mim" / "configs" / name.removeprefix("mmdet::")


def model_config(detector: Detector, num_classes: int) -> Any:
    """Return mmdet's model config with the overrides applied and no pretrained weights named in it.

    Raises ``TrialError`` when the config cannot be read.
    """
    path = config_path(detector.config)
    try:
        model = Config.fromfile(path).model
    except (OSError, AttributeError, SyntaxError) as error:
        raise TrialError(f"cannot read detector config {detector.config}: {error}") from error
    if "bbox_head" not in model:
        raise TrialError(f"detector config {detector.config} has no bbox_head: only one-stage detectors are supported")
    model.bbox_head.num_classes = num_classes
    model.backbone.init_cfg = None
    model.init_cfg = None
    if detector.backbone_depth is not None:
        model.backbone.depth = detector.backbone_depth
    if "ResNet" in model.backbone.type:
        _scale_channels(model, detector.width)
    if detector.weights == "random":
        model.backbone.frozen_stages = -1
        model.backbone.norm_eval = False
    return model


def build_student(detector: Detector, num_classes: int, seed: int, pretrained: bool = True) -> Any:
    """Return a freshly initialised detector; its weights are a function of (detector, num_classes, seed).

    ``pretrained=False`` skips ImageNet weights that the detector asks for: all weights are about to be replaced.
    """
    model = build_empty(detector, num_classes, seed)
    if detector.weights == "imagenet" and pretrained:
        load_imagenet(model.backbone, model_config(detector, num_classes).backbone)
    return model


def build_empty(detector: Detector, num_classes: int, seed: int = 0) -> Any:
    """Return the detector with mmdet's random initialisation, for weights to be loaded over."""
    init_default_scope("mmdet")
    seed_everything(seed)
    model = MODELS.build(model_config(detector, num_classes))
    model.init_weights()
    return model


def _scale_channels(model: Any, width: float) -> None:
    """Give a ResNet detector the channels of its depth and ``width``."""
    backbone = model.backbone
    base = round(backbone.get("base_channels", BASE_CHANNELS) * width)
    expansion = 1 if backbone.depth in BASIC_DEPTHS else 4
    stages = [base * expansion * 2**index for index in range(4)]
    model.neck.in_channels = [stages[index] for index in backbone.out_indices]
    if width == 1.0:
        return  # a local config's own channels stand, whatever they are
    backbone.base_channels = backbone.stem_channels = base
    model.neck.out_channels = _scaled(model.neck.out_channels, width)
    for key in ("in_channels", "feat_channels"):
        model.bbox_head[key] = _scaled(model.bbox_head[key], width)
    _keep_groups_above_one(model.bbox_head)


def _keep_groups_above_one(head: Any) -> None:
    """Give each group of the head's norm two channels at least.

    Where a level is a single cell, a group of one channel has nothing to normalise: torch refuses it for a single image.
    """
    norm = head.get("norm_cfg", {"type": "GN", "num_groups": GROUP, "requires_grad": True})
    if norm["type"] == "GN" and head.feat_channels < 2 * norm["num_groups"]:
        head.norm_cfg = {**norm, "num_groups": head.feat_channels // 2}


def _scaled(channels: int, width: float) -> int:
    return max(GROUP, round(channels * width / GROUP) * GROUP)
