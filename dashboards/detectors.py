"""Name detectors as papers do, from the settings of a run."""

import re
from collections.abc import Mapping

HEADS = {"gfl": "GFL", "atss": "ATSS", "fcos": "FCOS", "retinanet": "Retina", "yolox": "YOLOX", "ld": "GFL"}
BACKBONES = (
    (re.compile(r"(?:^|_)r(\d{2,3})(?:-caffe)?(?=[_-]|$)"), "R{}"),
    (re.compile(r"(?:^|_)x101.*dconv"), "X101-DCN"),
    (re.compile(r"(?:^|_)x101"), "X101"),
    (re.compile(r"(?:^|_)swin-?t(?=[_-]|$)"), "SwinT"),
    (re.compile(r"(?:^|_)mobilenet-?v2_relu6"), "MobileNetV2-ReLU6"),
    (re.compile(r"(?:^|_)mobilenet-?v2"), "MobileNetV2"),
    (re.compile(r"^yolox_(tiny|nano|s|m|l|x)(?=[_-]|$)"), "{}"),
)


def detector_label(params: Mapping[str, str], prefix: str) -> str:
    """Return the detector below ``prefix`` as papers name it (``GFL-R50``), its width where it is not 1.

    A config that is not recognised goes by its file's name; without any the label is empty.
    """
    stem = re.split(r"::|/", params.get(f"{prefix}config", ""))[-1].removesuffix(".py")
    head = HEADS.get(re.split(r"[_-]", stem)[0])
    backbone = _backbone(stem, params.get(f"{prefix}backbone_depth", "null"))
    label = f"{head}-{backbone}" if head and backbone else stem
    width = params.get(f"{prefix}width", "1.0")
    return label if width in ("1.0", "1") or not label else f"{label} x{width}"


def _backbone(stem: str, depth: str) -> str | None:
    if depth.isdecimal():
        return f"R{depth}"
    for pattern, text in BACKBONES:
        if match := pattern.search(stem):
            return text.format(*match.groups())
    return None
