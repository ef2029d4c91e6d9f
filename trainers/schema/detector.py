"""Name a detector: an mmdet config plus the few typed overrides that studies need."""

from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from trainers.schema.base import Section

BackboneDepth = Literal[18, 34, 50, 101, 152]


class ZooWeights(Section):
    """Take a public checkpoint of mmdet's model zoo, by its config name; ``configs/zoo/checkpoints.yaml`` lists them."""

    kind: Literal["zoo"]
    name: str = Field(min_length=1)


class CheckpointWeights(Section):
    """Take a checkpoint file of a detector, of any layout that ``trainers.formats.layouts`` knows."""

    kind: Literal["checkpoint"]
    path: str = Field(min_length=1)


class Freeze(Section):
    """Say which parts of a backbone keep the weights that they start from; ``None`` leaves it to the config.

    ``stages`` is mmdet's ``frozen_stages``: -1 for none, 0 for the stem, N for the stem and the first N stages. ``norms``
    keeps the statistics of the backbone's batch norms (mmdet's ``norm_eval``); false trains the norms as a whole.
    """

    stages: int | None = Field(None, ge=-1, le=7)
    norms: bool | None = None

    @property
    def says_nothing(self) -> bool:
        """Return whether everything is left to the config."""
        return self.stages is None and self.norms is None

    @property
    def holds_something(self) -> bool:
        """Return whether a part of the backbone is kept from training."""
        return self.norms is True or (self.stages is not None and self.stages >= 0)


def _form(value: object) -> str | None:
    """Choose the type of a detector's weights, so that a mistake in them is reported once."""
    if isinstance(value, dict):
        kind = value.get("kind")
        return kind if isinstance(kind, str) else None
    return value.kind if isinstance(value, ZooWeights | CheckpointWeights) else "named"


DetectorWeights = ZooWeights | CheckpointWeights
StartingWeights = Annotated[
    Annotated[Literal["imagenet", "random"], Tag("named")]
    | Annotated[ZooWeights, Tag("zoo")]
    | Annotated[CheckpointWeights, Tag("checkpoint")],
    Discriminator(_form),
]


class Detector(Section):
    """Describe a detector by its config and typed overrides; the number of classes comes from the dataset.

    ``config`` is ``mmdet::path`` (a config that mmdet ships), ``stillhouse::path`` (one of ``configs/detectors``) or the
    path of a local file. ``width`` scales the channels of a ResNet, ResNeXt, CSPDarknet or CSPNeXt, of the neck and the head,
    ``depth`` the number of blocks in each stage of the latter two and of their necks.
    ``weights`` is where its training starts: ``imagenet`` for the backbone alone, a section for a whole detector.
    ``weights: random`` also unfreezes the backbone and its batch norm, which a detector that starts from other weights
    keeps frozen as its config says, or as ``freeze`` does.
    """

    config: str = Field(min_length=1)
    backbone_depth: BackboneDepth | None = None
    width: float = Field(1.0, ge=0.125, le=4.0)
    depth: float = Field(1.0, ge=0.125, le=4.0)
    weights: StartingWeights = "imagenet"
    freeze: Freeze | None = None

    @property
    def detector_weights(self) -> DetectorWeights | None:
        """Return the weights of a whole detector that training starts from, ``None`` where it starts otherwise."""
        return self.weights if isinstance(self.weights, DetectorWeights) else None

    def settings(self) -> dict[str, Any]:
        """Return the detector as JSON, without ``depth`` where it changes nothing, as releases before it wrote it."""
        return self.model_dump(mode="json", exclude={"depth"} if self.depth == 1.0 else None)

    @model_serializer(mode="wrap")
    def _without_newer_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``freeze`` out where it says nothing: records of earlier releases, which lack it, stay comparable."""
        found: dict[str, Any] = handler(self)
        if self.freeze is None or self.freeze.says_nothing:
            found.pop("freeze", None)
        return found

    @field_validator("freeze")
    @classmethod
    def _freezes_no_random_layers(cls, freeze: Freeze | None, info: ValidationInfo) -> Freeze | None:
        if freeze is not None and freeze.holds_something and info.data.get("weights") == "random":
            raise ValueError(
                "would keep random layers from ever being trained: with weights: random leave it out, or say stages: -1 and "
                "norms: false"
            )
        return freeze

    @model_validator(mode="after")
    def _imagenet_weights_fit(self) -> "Detector":
        for name, factor in (("width", self.width), ("depth", self.depth)):
            if self.weights == "imagenet" and factor != 1.0:
                raise ValueError(f"ImageNet weights exist for {name} 1.0 only, not {factor}: say weights: random")
        return self
