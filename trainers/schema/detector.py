"""Name a detector: an mmdet config plus the few typed overrides that studies need."""

from typing import Literal

from pydantic import Field, model_validator

from trainers.schema.base import Section

BackboneDepth = Literal[18, 34, 50, 101, 152]


class Detector(Section):
    """Describe a detector by its config and typed overrides; the number of classes comes from the dataset.

    ``config`` is ``mmdet::path`` (a config that mmdet ships), ``stillhouse::path`` (one of ``configs/detectors``) or the
    path of a local file. ``width`` scales the channels of a ResNet, ResNeXt or CSPDarknet, of the neck and the head.
    ``weights: random`` also unfreezes the backbone and its batch norm, which a detector that starts from ImageNet
    weights keeps frozen.
    """

    config: str = Field(min_length=1)
    backbone_depth: BackboneDepth | None = None
    width: float = Field(1.0, ge=0.125, le=4.0)
    weights: Literal["imagenet", "random"] = "imagenet"

    @model_validator(mode="after")
    def _imagenet_weights_fit(self) -> "Detector":
        if self.weights == "imagenet" and self.width != 1.0:
            raise ValueError(f"ImageNet weights exist for width 1.0 only, not {self.width}: say weights: random")
        return self
