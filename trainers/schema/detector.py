"""Name a detector: an mmdet config plus the few typed overrides that studies need."""

from typing import Any, Literal

from pydantic import Field, model_validator

from trainers.schema.base import Section

BackboneDepth = Literal[18, 34, 50, 101, 152]


class Detector(Section):
    """Describe a detector by its config and typed overrides; the number of classes comes from the dataset.

    ``config`` is ``mmdet::path`` (a config that mmdet ships), ``stillhouse::path`` (one of ``configs/detectors``) or the
    path of a local file. ``width`` scales the channels of a ResNet, ResNeXt, CSPDarknet or CSPNeXt, of the neck and the head,
    ``depth`` the number of blocks in each stage of the latter two and of their necks.
    ``weights: random`` also unfreezes the backbone and its batch norm, which a detector that starts from ImageNet
    weights keeps frozen.
    """

    config: str = Field(min_length=1)
    backbone_depth: BackboneDepth | None = None
    width: float = Field(1.0, ge=0.125, le=4.0)
    depth: float = Field(1.0, ge=0.125, le=4.0)
    weights: Literal["imagenet", "random"] = "imagenet"

    def settings(self) -> dict[str, Any]:
        """Return the detector as JSON, without ``depth`` where it changes nothing, as releases before it wrote it."""
        return self.model_dump(mode="json", exclude={"depth"} if self.depth == 1.0 else None)

    @model_validator(mode="after")
    def _imagenet_weights_fit(self) -> "Detector":
        for name, factor in (("width", self.width), ("depth", self.depth)):
            if self.weights == "imagenet" and factor != 1.0:
                raise ValueError(f"ImageNet weights exist for {name} 1.0 only, not {factor}: say weights: random")
        return self
