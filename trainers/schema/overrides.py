"""Decide which overrides a backbone supports. Imports nothing heavy."""

from trainers.schema.detector import Freeze

DEPTHS = {"ResNet": (18, 34, 50, 101, 152), "ResNeXt": (50, 101, 152)}  # of mmdet's backbones
BASIC_DEPTHS = (18, 34)
DARKNET = "CSPDarknet"
CSP_BACKBONES = (DARKNET, "CSPNeXt")  # YOLOX's and RTMDet's: scaled by mmdet's widen_factor and deepen_factor
# mmdet's backbones that can keep their first stages from being trained: the number of stages behind the stem.
STAGES = {
    "ResNet": 4,
    "ResNetV1d": 4,
    "ResNeXt": 4,
    "Res2Net": 4,
    "ResNeSt": 4,
    "RegNet": 4,
    "MobileNetV2": 7,
    DARKNET: 4,
    "CSPNeXt": 4,
    "SwinTransformer": 4,
}
WITHOUT_BATCH_NORMS = ("SwinTransformer",)


def depth_problem(depth: int, backbone: str | None, *, deformable: bool) -> str | None:
    """Return why the backbone of a config cannot be made ``depth`` layers deep, ``None`` when it can."""
    depths = DEPTHS.get(backbone or "")
    if depths is None:
        return f"cannot be set: the backbone of this config is {backbone}, not ResNet or ResNeXt"
    if depth not in depths:
        return f"cannot be {depth}: a {backbone} has {', '.join(map(str, depths[:-1]))} or {depths[-1]} layers"
    if deformable and depth in BASIC_DEPTHS:
        return f"cannot be {depth}: a {backbone} of that depth has no place for this config's deformable convolutions"
    return None


def width_problem(backbone: str | None) -> str | None:
    """Return why the channels of a config's backbone cannot be scaled, ``None`` when they can."""
    if backbone in DEPTHS or backbone in CSP_BACKBONES:
        return None
    return f"cannot be set: the backbone of this config is {backbone}, not ResNet, ResNeXt, CSPDarknet or CSPNeXt"


def block_depth_problem(backbone: str | None) -> str | None:
    """Return why the stages of a config's backbone cannot be scaled in depth, ``None`` when they can."""
    if backbone in CSP_BACKBONES:
        return None
    hint = "; of a ResNet say backbone_depth" if backbone in DEPTHS else ""
    return f"cannot be set: the backbone of this config is {backbone}, not CSPDarknet or CSPNeXt{hint}"


def freeze_problem(freeze: Freeze, backbone: str | None) -> tuple[str, str] | None:
    """Return the key of ``freeze`` that a config's backbone cannot take, and why; ``None`` when it can take all."""
    stages = STAGES.get(backbone or "")
    if stages is None:
        key = "stages" if freeze.stages is not None else "norms"
        return (
            key,
            f"cannot be set: nothing is known of the stages of {backbone}: set frozen_stages in a config of your own",
        )
    if freeze.stages is not None and freeze.stages > stages:
        return "stages", f"cannot be {freeze.stages}: a {backbone} has {stages} stages behind its stem"
    if freeze.norms is not None and backbone in WITHOUT_BATCH_NORMS:
        return "norms", f"cannot be set: a {backbone} has no batch norms"
    return None
