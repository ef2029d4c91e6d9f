"""Apply a study's typed overrides (depth, width, weights) to mmdet's config of a model."""

from typing import Any

from trainers.errors import TrialError
from trainers.schema import Detector
from trainers.schema.detector import Freeze
from trainers.schema.overrides import (
    BASIC_DEPTHS,
    DEPTHS,
    block_depth_problem,
    depth_problem,
    freeze_problem,
    width_problem,
)
from trainers.schema.pyramid import GROUP, scaled

BASE_CHANNELS = 64
QUERIES = "decoder"  # the part of a detector like DETR that a config always gives
NORMED_HEADS = (
    "GFLHead",
    "ATSSHead",
    "FCOSHead",
    "CenterNetUpdateHead",
)  # their convolutions have a group norm unless told otherwise


def override(model: Any, detector: Detector) -> None:
    """Change ``model`` in place as ``detector`` says; a detector that says nothing leaves the config as it is.

    Raises ``TrialError`` for a depth, a width or frozen stages that the config's backbone cannot take.
    """
    backbone = model.backbone
    if detector.backbone_depth is not None:
        _set_depth(backbone, detector.backbone_depth)
    if detector.depth != 1.0:
        _set_block_depth(model, detector.depth)
    if detector.width != 1.0:
        _set_width(model, detector.width)
    if backbone.type in DEPTHS and (detector.backbone_depth is not None or detector.width != 1.0):
        first, stages = _necks(model)[0], _stages(backbone)
        first.in_channels = stages[-1] if isinstance(first.in_channels, int) else stages  # YOLOF's neck reads one map
    if detector.weights == "random":
        _unfreeze(backbone)
    if detector.freeze is not None and not detector.freeze.says_nothing:
        _freeze(backbone, detector.freeze)


def _necks(model: Any) -> list[Any]:
    """Return a model's necks in their order: mmdet's configs give one, or a list that runs as a sequence."""
    neck = model.get("neck")
    necks = list(neck) if isinstance(neck, list | tuple) else [neck]
    if not all(isinstance(one, dict) for one in necks) or not necks:
        raise TrialError("backbone_depth and width cannot be set: this config has no neck")
    return necks


def _set_depth(backbone: Any, depth: int) -> None:
    problem = depth_problem(depth, backbone.type, deformable=any(backbone.get("stage_with_dcn", ())))
    if problem is not None:
        raise TrialError(f"backbone_depth {problem}")
    backbone.depth = depth


def _set_block_depth(model: Any, depth: float) -> None:
    """Scale the number of blocks in each stage of backbone and neck; each keeps one at least."""
    problem = block_depth_problem(model.backbone.type)
    if problem is not None:
        raise TrialError(f"depth {problem}")
    model.backbone.deepen_factor = model.backbone.get("deepen_factor", 1.0) * depth
    neck = _necks(model)[0]
    neck.num_csp_blocks = max(1, round(neck.get("num_csp_blocks", 3) * depth))


def _set_width(model: Any, width: float) -> None:
    """Scale backbone, neck and head; neck and head get multiples of 32 channels."""
    problem = width_problem(model.backbone.type)
    if problem is None and QUERIES in model:
        problem = f"cannot be set: {model.type} reads the pyramid by queries, whose channels stay as they are"
    if problem is not None:
        raise TrialError(f"width {problem}")
    if model.backbone.type in DEPTHS:
        _widen_resnet(model.backbone, width)
    else:
        _widen_csp(model, width)
    first, *others = _necks(model)
    first.out_channels = scaled(first.out_channels, width)
    for part in others:
        _scale(part, ("in_channels", "out_channels"), width)
    if "bbox_head" in model:
        _scale(model.bbox_head, ("in_channels", "feat_channels"), width)
        _keep_groups_above_one(model.bbox_head)
    else:
        _widen_two_stages(model, width)


def _widen_two_stages(model: Any, width: float) -> None:
    """Scale those channels of proposals and second stage that come from the neck."""
    _scale(model.rpn_head, ("in_channels", "feat_channels"), width)
    second = model.get("roi_head") or {}
    extractors, heads = (_each(second.get(key)) for key in ("bbox_roi_extractor", "bbox_head"))
    for part in extractors:
        _scale(part, ("out_channels",), width)
    for part in heads:
        _scale(part, ("in_channels",), width)


def _each(parts: Any) -> list[Any]:
    return list(parts) if isinstance(parts, list | tuple) else [] if parts is None else [parts]


def _scale(part: Any, keys: tuple[str, ...], width: float) -> None:
    """Scale those of the channels that a part of the model gives as one number."""
    for key in keys:
        if isinstance(part.get(key), int):
            part[key] = scaled(part[key], width)


def _widen_resnet(backbone: Any, width: float) -> None:
    backbone.base_channels = backbone.stem_channels = round(backbone.get("base_channels", BASE_CHANNELS) * width)
    if backbone.type == "ResNeXt":  # its grouped convolutions get their channels from the number of groups
        backbone.groups = max(1, round(backbone.get("groups", 1) * width))


def _widen_csp(model: Any, width: float) -> None:
    """Scale CSPDarknet or CSPNeXt by the ratio that the neck's channels get, so that the two keep fitting."""
    neck = _necks(model)[0]
    old = neck.out_channels
    new = scaled(old, width)
    # To whole channels of the stem: mmdet cuts fractions off.
    model.backbone.widen_factor = round(model.backbone.widen_factor * new / old * BASE_CHANNELS) / BASE_CHANNELS
    neck.in_channels = [channels * new // old for channels in neck.in_channels]


def _stages(backbone: Any) -> list[int]:
    """Return the channels of a ResNet's outputs."""
    expansion = 1 if backbone.depth in BASIC_DEPTHS else 4
    base = backbone.get("base_channels", BASE_CHANNELS)
    return [base * expansion * 2**index for index in backbone.out_indices]


def _keep_groups_above_one(head: Any) -> None:
    """Give each group of the head's norm two channels at least.

    Where a level is a single cell, a group of one channel has nothing to normalise: torch refuses it for a single image.
    """
    usual = {"type": "GN", "num_groups": GROUP, "requires_grad": True} if head.type in NORMED_HEADS else None
    norm = head.get("norm_cfg", usual)
    if norm is not None and norm["type"] == "GN" and head.feat_channels < 2 * norm["num_groups"]:
        head.norm_cfg = {**norm, "num_groups": head.feat_channels // 2}


def _unfreeze(backbone: Any) -> None:
    """Unfreeze a whole backbone, including its batch norms."""
    none_frozen = 0 if backbone.type == "EfficientNet" else -1  # its stages count from the first to be frozen
    for key, value in (("frozen_stages", none_frozen), ("norm_eval", False)):
        if key in backbone or backbone.type in DEPTHS:  # a ResNet's norms are frozen unless told otherwise
            backbone[key] = value
    _train_norms(backbone)


def _freeze(backbone: Any, freeze: Freeze) -> None:
    """Freeze the stages and norms that a study names, and train those that it says to train."""
    problem = freeze_problem(freeze, backbone.type)
    if problem is not None:
        raise TrialError(f"freeze.{problem[0]} {problem[1]}")
    if freeze.stages is not None:
        backbone.frozen_stages = freeze.stages
    if freeze.norms is not None:
        backbone.norm_eval = freeze.norms
    if freeze.norms is False:
        _train_norms(backbone)


def _train_norms(backbone: Any) -> None:
    """Train scale and shift of batch norms whose config keeps them as they are, as Caffe's do."""
    if "requires_grad" in backbone.get("norm_cfg", {}):
        backbone.norm_cfg.requires_grad = True


def start_untrained(model: Any) -> None:
    """Leave parts that repeat the backbone without the weights that the config names for them.

    These are the second backbone of a recursive pyramid (DetectoRS), and a last stage that reads regions (C4).
    """
    for neck in _each(model.get("neck")):
        if "rfp_backbone" in neck:
            neck.rfp_backbone.pretrained = neck.rfp_backbone.init_cfg = None
    shared = (model.get("roi_head") or {}).get("shared_head")
    if shared is not None:
        shared.pretrained = shared.init_cfg = None


def pad_to_coarsest_stride(model: Any) -> None:
    """Let images be padded to whole cells of RTMDet's coarsest level, which its neck needs to join its levels.

    mmdet's RTMDet leaves that to its pipeline, which pads to squares of 640.
    """
    neck: Any = model.get("neck")
    preprocessor = model.data_preprocessor
    if isinstance(neck, dict) and neck.get("type") == "CSPNeXtPAFPN" and preprocessor.get("pad_size_divisor", 1) == 1:
        preprocessor.pad_size_divisor = 2 ** (2 + len(neck["in_channels"]))  # the finest stride is 8
