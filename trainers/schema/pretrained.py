"""List the public ImageNet weights, by their names in mmdet's configs. Imports nothing heavy.

The list is a data file, ``configs/zoo/backbones.yaml``.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from trainers.schema.detector import Detector
from trainers.schema.overrides import DARKNET, DEPTHS
from trainers.schema.zoo import configs_dir, find_config

DEPTH = re.compile(r"(resnet|resnext)\d+")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Describe one file of ImageNet weights and the requirements of its layout.

    ``drop`` are beginnings of keys that a detector has no use for (the classifier), ``fresh`` parts of a backbone's keys
    that the file does not hold, ``convert`` names a change of keys that prefixes cannot express. ``sha256`` are the
    first eight digits of the file's hash, ``None`` where its publisher gives none.
    """

    name: str
    url: str
    sha256: str | None
    drop: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    convert: str | None = None


def pretrained_weights(detector: Detector) -> Pretrained | None:
    """Return the ImageNet weights of a detector's backbone; ``None`` when none are known, or its config is local."""
    config = find_config(detector.config)
    if config is None:
        return None
    return find_pretrained(config.backbone, config.depth, config.pretrained, detector.backbone_depth)


def find_pretrained(
    backbone: str | None, depth: int | None, name: str | None, other_depth: int | None = None
) -> Pretrained | None:
    """Return the ImageNet weights of a backbone whose config names ``name``, made ``other_depth`` layers deep.

    Another depth takes the weights of the same family (torchvision's, Caffe's, ResNeXt's). A ResNet whose config names
    none takes torchvision's.
    """
    if name is None and backbone == "ResNet":
        name = f"torchvision://resnet{depth}"
    if name is not None and other_depth is not None:
        name = DEPTH.sub(rf"\g<1>{other_depth}", name)
    row = _rows()["weights"].get(name)
    return None if row is None else _pretrained(str(name), row)


def none_known(backbone: str | None, depth: int | None) -> str:
    """Return the message for a backbone without ImageNet weights."""
    if backbone == DARKNET:
        return "no ImageNet weights are known for CSPDarknet: YOLOX trains from scratch, say weights: random"
    which = f"a {backbone} of depth {depth} in this style" if backbone in DEPTHS else f"backbone {backbone}"
    return f"no ImageNet weights are known for {which}: say weights: random"


def pretrained_names() -> tuple[str, ...]:
    """Return the name of every file of ImageNet weights that is known."""
    return tuple(_rows()["weights"])


def _pretrained(name: str, row: dict[str, Any]) -> Pretrained:
    layout = _rows()["layouts"][row["layout"]]
    parts = {key: tuple(layout.get(key, ())) for key in ("drop", "fresh")}
    return Pretrained(name, row["url"], row.get("sha256"), convert=layout.get("convert"), **parts)


@cache
def _rows() -> dict[str, Any]:
    from ruamel.yaml import YAML  # 40 ms that only a study with ImageNet weights spends

    rows: dict[str, Any] = YAML(typ="safe", pure=True).load(configs_dir() / "zoo" / "backbones.yaml")
    return rows
