"""Say which images and boxes a trial sees, and how they reach the detector."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainers.spec.base import Section

ShapeClass = Literal["circle", "square", "triangle"]
Side = Annotated[int, Field(ge=32, le=4096)]
ClassNames = Annotated[tuple[str, ...], Field(min_length=1)]


class View(Section):
    """Hold what the data pipeline does to every image, whatever the source.

    ``image_size`` is (width, height) in pixels: with ``keep_ratio`` the image is scaled to fit into it, as in mmdet's
    ``Resize(scale, keep_ratio=True)`` (long and short side, in either orientation). ``flip`` is the probability of a
    horizontal flip in training.
    """

    image_size: tuple[Side, Side] = (1333, 800)
    keep_ratio: bool = True
    flip: float = Field(0.5, ge=0.0, le=1.0)
    evaluator: Literal["faster-coco-eval", "pycocotools"] = "faster-coco-eval"


class ShapesDataset(View):
    """Draw images of coloured shapes on the fly; every pixel is a function of (seed, split, index)."""

    kind: Literal["shapes"]
    classes: Annotated[tuple[ShapeClass, ...], Field(min_length=1)] = ("circle", "square", "triangle")
    train_images: int = Field(160, ge=1, le=1_000_000)
    val_images: int = Field(64, ge=1, le=1_000_000)
    max_objects: int = Field(4, ge=1, le=50)
    image_size: tuple[Side, Side] = (128, 128)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> "ShapesDataset":
        require_distinct(self.classes)
        return self


class CocoSplit(Section):
    """Name one split of a COCO-format dataset: annotation file and image folder, both relative to ``root``."""

    annotations: str = Field(min_length=1)
    images: str = Field(min_length=1)


class CocoDataset(View):
    """Read any dataset in COCO's JSON format.

    ``root`` may contain ``${VARIABLE}``; a relative path is relative to the study file. ``classes`` are category names
    as the annotation files spell them, or ``coco80`` for the 80 classes of MS COCO.
    """

    kind: Literal["coco"]
    root: str = Field(min_length=1)
    train: CocoSplit = CocoSplit(annotations="annotations/instances_train2017.json", images="train2017")
    val: CocoSplit = CocoSplit(annotations="annotations/instances_val2017.json", images="val2017")
    classes: Literal["coco80"] | ClassNames = "coco80"

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> "CocoDataset":
        if self.classes != "coco80":
            require_distinct(self.classes)
        return self


DatasetSpec = Annotated[ShapesDataset | CocoDataset, Field(discriminator="kind")]


def require_distinct(names: tuple[str, ...]) -> None:
    """Raise ``ValueError`` when a class name is given twice."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"class given twice: {', '.join(repeated)}")


def class_count(dataset: ShapesDataset | CocoDataset) -> int:
    """Return how many classes the dataset has."""
    return 80 if dataset.classes == "coco80" else len(dataset.classes)
