"""Define the way of images to the detector: sizes, augmentation, padding."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from trainers.schema.base import Section

Side = Annotated[int, Field(ge=32, le=4096)]
Factor = Annotated[float, Field(gt=0.0, le=10.0)]
COCO_DETECTIONS = 100  # detections of an image, as in COCO's evaluation
AUGMENTATION = ("flip", "augmentation", "mosaic", "multi_scale", "batch_scales")  # changes training images alone
LATER_KEYS = (
    "repeat",
    "augmentation",
    "mosaic",
    "multi_scale",
    "batch_scales",
    "pad_to_square",
    "test_size",
    "images_digest",
    "max_detections",
    "min_side",
    "exif",
    "bit_depth",
    "split",
    "keep_empty",
)


def require_rising(name: str, pair: tuple[float, float]) -> None:
    """Raise ``ValueError`` when a range ends below its beginning."""
    if pair[0] > pair[1]:
        raise ValueError(f"{name} must rise, got {list(pair)}")


class RangeScales(Section):
    """Draw the short side of each training image between two sizes (pixels); the long side is ``image_size``'s."""

    kind: Literal["range"]
    short: tuple[Side, Side]

    @model_validator(mode="after")
    def _range_rises(self) -> "RangeScales":
        require_rising("short", self.short)
        return self


class ChoiceScales(Section):
    """Draw the short side of each training image from a list (pixels); the long side is ``image_size``'s."""

    kind: Literal["choice"]
    short: Annotated[tuple[Side, ...], Field(min_length=1)]


MultiScale = Annotated[RangeScales | ChoiceScales, Field(discriminator="kind")]


class Mosaic(Section):
    """Set YOLOX's augmentation: four images in one, scaled by a factor drawn from ``affine_scale``, and MixUp."""

    affine_scale: tuple[Factor, Factor] = (0.1, 2.0)
    mixup: bool = True

    @model_validator(mode="after")
    def _range_rises(self) -> "Mosaic":
        require_rising("affine_scale", self.affine_scale)
        return self


class BatchScales(Section):
    """Scale whole training batches: a new short side every ``every`` steps, a multiple of ``divisor`` pixels."""

    short: tuple[Side, Side] = (320, 640)
    every: int = Field(10, ge=1, le=100_000)
    divisor: int = Field(32, ge=1, le=256)

    @model_validator(mode="after")
    def _sizes_are_multiples(self) -> "BatchScales":
        require_rising("short", self.short)
        if any(side % self.divisor for side in self.short):
            raise ValueError(f"short {list(self.short)} must be multiples of divisor ({self.divisor})")
        return self


class ImagePipeline(Section):
    """Hold the data pipeline's settings for images of every source.

    ``image_size`` is (width, height) in pixels: with ``keep_ratio`` the image is scaled to fit into it, as in mmdet's
    ``Resize(scale, keep_ratio=True)`` (long and short side, in either orientation). ``flip`` is the probability of a
    horizontal flip in training. ``augmentation: mosaic`` is YOLOX's pipeline and needs a square ``image_size``, to
    which it pads, in training and evaluation. ``test_size`` takes the place of ``image_size`` in evaluation.
    ``max_detections`` is how many detections of an image are kept and evaluated.
    """

    image_size: tuple[Side, Side] = (1333, 800)
    keep_ratio: bool = True
    flip: float = Field(0.5, ge=0.0, le=1.0)
    evaluator: Literal["faster-coco-eval", "pycocotools"] = "faster-coco-eval"
    repeat: int = Field(1, ge=1, le=1000)
    augmentation: Literal["flip", "mosaic"] = "flip"
    mosaic: Mosaic = Mosaic()
    multi_scale: MultiScale | None = None
    batch_scales: BatchScales | None = None
    pad_to_square: bool = False
    test_size: tuple[Side, Side] | None = None
    max_detections: int = Field(COCO_DETECTIONS, ge=1, le=10_000)

    @model_validator(mode="after")
    def _settings_go_together(self) -> "ImagePipeline":
        mosaic = self.augmentation == "mosaic"
        if mosaic and self.image_size[0] != self.image_size[1]:
            raise ValueError(f"augmentation mosaic needs a square image_size, got {list(self.image_size)}")
        if mosaic and self.multi_scale is not None:
            raise ValueError("augmentation mosaic goes with batch_scales, not with multi_scale")
        if not mosaic and self.mosaic != Mosaic():
            raise ValueError("the settings under mosaic act only with augmentation: mosaic")
        if self.multi_scale is not None and not self.keep_ratio:
            raise ValueError("multi_scale needs keep_ratio: true")
        if self.multi_scale is not None and max(self.multi_scale.short) > max(self.image_size):
            raise ValueError(f"multi_scale.short exceeds the long side of image_size {list(self.image_size)}")
        return self

    @property
    def pads_to_square(self) -> bool:
        """Return whether images are padded to squares, in training and evaluation."""
        return self.pad_to_square or self.augmentation == "mosaic"

    def identity(self) -> dict[str, Any]:
        """Return the settings that change a result, as JSON: not where files are, nor which library computes AP.

        Settings that a later release added are left out at their defaults, so that they change no older identity.
        """
        content = self.model_dump(mode="json", exclude={"root", "evaluator"})
        fields = type(self).model_fields
        unset = [key for key in LATER_KEYS if key in fields and getattr(self, key) == fields[key].default]
        return {key: value for key, value in content.items() if key not in unset}
