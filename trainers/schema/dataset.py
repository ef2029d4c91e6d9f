"""Define a trial's images and boxes."""

import re
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from trainers.schema.base import Section
from trainers.schema.class_names import COCO80, VOC20
from trainers.schema.division import Division
from trainers.schema.file_names import require_below
from trainers.schema.image_pipeline import ImagePipeline, Side
from trainers.schema.image_rule import ImageFiles

IMAGES_DIGEST = re.compile("img-[0-9a-f]{12}")
ShapeClass = Literal["circle", "square", "triangle"]


def require_distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return class names; raise ``ValueError`` when one is given twice."""
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise ValueError(f"class given twice: {', '.join(repeated)}")
    return names


def require_images_digest(text: str) -> str:
    """Return a digest of images; raise ``ValueError`` for any other text."""
    if not IMAGES_DIGEST.fullmatch(text):
        raise ValueError(f"must be a digest as `stillhouse plan` shows it, img- and 12 of 0-9 and a-f, got {text!r}")
    return text


def require_plain_name(text: str) -> str:
    """Return the name of a list; raise ``ValueError`` for a path."""
    if "/" in text or "\\" in text:
        raise ValueError(f"must be the name of a list, not a path, got {text!r}")
    return text


ClassNames = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(require_distinct)]
ShapeClasses = Annotated[tuple[ShapeClass, ...], Field(min_length=1), AfterValidator(require_distinct)]
Path = Annotated[str, Field(min_length=1)]
MinSide = Annotated[int, Field(ge=1, le=4096)]
SMALLEST_SIDE = 32  # pixels; mmdet's own filter for training images
ImagesDigest = Annotated[str, Field(max_length=100), AfterValidator(require_images_digest)] | None
Below = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(require_below)]
SplitName = Literal["train", "val", "test"]


class ShapesDataset(ImagePipeline):
    """Draw images of coloured shapes on the fly; every pixel is a function of (seed, split, index)."""

    kind: Literal["shapes"]
    classes: ShapeClasses = ("circle", "square", "triangle")
    train_images: int = Field(160, ge=1, le=1_000_000)
    val_images: int = Field(64, ge=1, le=1_000_000)
    max_objects: int = Field(4, ge=1, le=50)
    image_size: tuple[Side, Side] = (128, 128)
    seed: int = Field(0, ge=0)


class SplitFiles(ImageFiles):
    """Hold how the files of a dataset become splits, for every format.

    ``split`` divides ``train`` into splits, in place of ``val`` and ``test``. ``keep_empty`` trains on images without
    boxes as well, as background.
    """

    split: Division | None = None
    keep_empty: bool = False

    @model_validator(mode="after")
    def _splits_are_given_once(self) -> "SplitFiles":
        if self.split is not None:
            for name in ("val", "test"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"split divides train: leave out {name} (null does so, too), or leave out split")
        return self

    def identity(self) -> dict[str, Any]:
        """Return the settings that change a result: not the test split, which nothing is chosen by."""
        return {key: value for key, value in super().identity().items() if key != "test"}


class CocoSplit(Section):
    """Name one annotation file in COCO's format and its image folder, both relative to ``root``."""

    annotations: Below
    images: Below


CocoSplits = CocoSplit | Annotated[tuple[CocoSplit, ...], Field(min_length=1)]


class CocoDataset(SplitFiles):
    """Read any dataset in COCO's JSON format.

    ``root`` may contain ``${VARIABLE}``; a relative path is relative to the study file. A split is one annotation file, or
    a list of them. ``classes`` are category names
    as the annotation files spell them, or ``coco80`` for the 80 classes of MS COCO. Images with a side below ``min_side``
    pixels are not trained on. ``images_digest`` says which images are meant, by the digest of their names and sizes that
    ``plan`` shows.
    """

    kind: Literal["coco"]
    root: Path
    train: CocoSplits = CocoSplit(annotations="annotations/instances_train2017.json", images="train2017")
    val: CocoSplits = CocoSplit(annotations="annotations/instances_val2017.json", images="val2017")
    test: CocoSplits | None = None
    classes: Literal["coco80"] | ClassNames = "coco80"
    images_digest: ImagesDigest = None
    min_side: MinSide = SMALLEST_SIDE


class VocPart(Section):
    """Name one part of a Pascal VOC split: a folder below ``root`` and one of its lists of images.

    ``set`` is the list ``ImageSets/Main/<set>.txt``; without it the part is every XML file in ``annotations``.
    ``annotations`` and ``images`` are the folder's subfolders with XML files and images; they may be the same.
    """

    folder: Below
    set: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(require_plain_name)] | None = None
    annotations: Below = "Annotations"
    images: Below = "JPEGImages"


VocSplit = Annotated[tuple[VocPart, ...], Field(min_length=1)]


class VocDataset(SplitFiles):
    """Read Pascal VOC, or any folder with annotations in VOC's XML format.

    A split is one part after the other. ``root`` as for COCO; ``classes`` are object names as the XML files spell
    them, or ``voc20`` for Pascal VOC's 20. Objects of other names are left out. ``first_pixel`` is the coordinate of
    an image's first pixel: 1 in Pascal VOC, 0 in files of many tools. ``min_side`` as for COCO.
    """

    kind: Literal["voc"]
    root: Path
    train: VocSplit = (VocPart(folder="VOC2007", set="trainval"), VocPart(folder="VOC2012", set="trainval"))
    val: VocSplit = (VocPart(folder="VOC2007", set="test"),)
    test: VocSplit | None = None
    classes: Literal["voc20"] | ClassNames = "voc20"
    first_pixel: Literal[0, 1] = 1
    images_digest: ImagesDigest = None
    min_side: MinSide = SMALLEST_SIDE


class YoloPart(Section):
    """Name the images of one part of a split in YOLO's format: a folder below ``root``, or a text file that lists them.

    Each image's labels are a text file of its name: in ``labels``, a folder below ``root``, else in the folder
    ``labels`` that lies beside the image's folder ``images``, else beside the image.
    """

    images: Below
    labels: Below | None = None


YoloSplit = YoloPart | Annotated[tuple[YoloPart, ...], Field(min_length=1)]


class YoloDataset(SplitFiles):
    """Read a dataset in YOLO's text format: a line a box, with class number, centre and size as shares of the image.

    ``data`` is a YAML file below ``root`` whose ``names`` say which class a number means; without it, numbers count
    ``classes``, from 0. ``classes`` are the names that are learned. ``root`` and ``min_side`` as for COCO.
    """

    kind: Literal["yolo"]
    root: Path
    train: YoloSplit = YoloPart(images="images/train")
    val: YoloSplit = YoloPart(images="images/val")
    test: YoloSplit | None = None
    data: Below | None = None
    classes: ClassNames
    images_digest: ImagesDigest = None
    min_side: MinSide = SMALLEST_SIDE


FileDataset = CocoDataset | VocDataset | YoloDataset
DatasetSpec = Annotated[ShapesDataset | CocoDataset | VocDataset | YoloDataset, Field(discriminator="kind")]


def splits_of(dataset: FileDataset) -> tuple[SplitName, ...]:
    """Return the splits that a dataset has: ``test`` only where one is asked for."""
    has_test = dataset.split.test > 0 if dataset.split is not None else dataset.test is not None
    return ("train", "val", "test") if has_test else ("train", "val")


def source_splits(dataset: FileDataset) -> tuple[SplitName, ...]:
    """Return the splits that are read from files of their own: ``train`` alone where that is divided."""
    return ("train",) if dataset.split is not None else splits_of(dataset)


def coco_parts(dataset: CocoDataset, split: SplitName) -> tuple[CocoSplit, ...]:
    """Return the files that a split of a COCO dataset is read from."""
    found: CocoSplits | None = getattr(dataset, _source(dataset, split))
    return (found,) if isinstance(found, CocoSplit) else found or ()


def voc_parts(dataset: VocDataset, split: SplitName) -> tuple[VocPart, ...]:
    """Return the parts that a split of a VOC dataset is read from."""
    found: VocSplit | None = getattr(dataset, _source(dataset, split))
    return found or ()


def yolo_parts(dataset: YoloDataset, split: SplitName) -> tuple[YoloPart, ...]:
    """Return the parts that a split of a YOLO dataset is read from."""
    found: YoloSplit | None = getattr(dataset, _source(dataset, split))
    return (found,) if isinstance(found, YoloPart) else found or ()


def _source(dataset: FileDataset, split: SplitName) -> SplitName:
    """Return the key that a split is read from: ``train`` where that is divided."""
    return split if dataset.split is None else "train"


def class_names(dataset: DatasetSpec) -> tuple[str, ...]:
    """Return the class names in label order."""
    if dataset.classes == "coco80":
        return COCO80
    return VOC20 if dataset.classes == "voc20" else tuple(dataset.classes)


def class_count(dataset: DatasetSpec) -> int:
    """Return how many classes the dataset has."""
    return len(class_names(dataset))
