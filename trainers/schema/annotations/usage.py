"""Decide which images and boxes of a split are used, and count the others by reason."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trainers.schema.annotations import kinds
from trainers.schema.annotations.kinds import OddityKind
from trainers.schema.annotations.records import AnnotatedSplit, Box, Image
from trainers.schema.dataset import FileDataset, SplitName, class_names


@dataclass(frozen=True, slots=True)
class Densest:
    """Name the image that holds the most objects, and count the images that hold more than ``max_detections``."""

    image: int | str | None = None
    objects: int = 0
    above: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Count the used parts of a split: images, boxes by class, ignored boxes.

    And the left out or repaired parts by reason. ``boxes`` are all of the study's classes that could be read,
    ``by_class`` those that are learned (train) or count in evaluation (val), ``ignored`` crowds, difficult objects and
    those marked to be ignored among the used images' boxes. ``unreachable`` are boxes without area, or outside of their
    images, that evaluation counts all the same.
    """

    split: str
    images: int = 0
    images_used: int = 0
    boxes: int = 0
    ignored: int = 0
    by_class: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    unreachable: int = 0
    densest: Densest = Densest()

    @property
    def boxes_used(self) -> int:
        """Return how many boxes are learned, or count in evaluation."""
        return sum(self.by_class.values())


def used_images(split: AnnotatedSplit, dataset: FileDataset) -> list[Image]:
    """Return the images that are used, in the files' order: all for evaluation; for training see ``unused``."""
    if split.name != "train":
        return split.images
    return [image for image in split.images if unused(image, dataset) is None]


def unused(image: Image, dataset: FileDataset) -> OddityKind | None:
    """Return why an image is not trained on, ``None`` for one that is: the only filter that there is.

    Left out are images with a side below ``min_side`` and, but with YOLOX's mosaic or ``keep_empty``, those without a box: of COCO files
    those in which no class of the study is annotated (as in mmdet, an image whose boxes are all left out stays, as
    background), of VOC folders those without a box that can be used.
    """
    if image.size is not None and min(image.size) < dataset.min_side:
        return kinds.SMALL_IMAGES
    keeps_all = dataset.keep_empty or dataset.augmentation == "mosaic"
    return None if image.annotated or keeps_all else kinds.WITHOUT_BOXES


def used_boxes(image: Image, split_name: str) -> list[Box]:
    """Return the boxes of an image that training is given, or that evaluation knows; ignored ones among them."""
    if split_name == "train":
        return [box for box in image.boxes if box.left_out is None]
    return [box for box in image.boxes if box.evaluated]


class OddImage(NamedTuple):
    """Hold why an image is not used (``None``: it is), how many used boxes it has, and why others of its boxes are left out."""

    reason: OddityKind | None
    used: int
    left_out: tuple[OddityKind, ...]


@dataclass(frozen=True, slots=True)
class BoxCounts:
    """Count the boxes of a split: all of them, and those that are used of images that are used.

    Of these, ``by_label`` are those that are not ignored. ``objects`` are each image's boxes that are not ignored, used or not.
    ``odd`` are in the files' order the images that are not used, or have boxes that are left out.
    """

    boxes: int
    used: int
    by_label: Sequence[int]
    unreachable: int
    objects: Sequence[int]
    odd: Sequence[OddImage]


def usage(split: AnnotatedSplit, dataset: FileDataset) -> Usage:
    """Return the counts of a split."""
    seen = [_seen(image, split.name, dataset) for image in split.images]
    boxes = [box for image in seen if image.reason is None for box in image.used]
    by_label = Counter([box.label for box in boxes if not box.ignored])
    counts = BoxCounts(
        boxes=sum(image.boxes for image in seen),
        used=len(boxes),
        by_label=[by_label[label] for label in range(len(class_names(dataset)))],
        unreachable=sum(box.left_out in kinds.UNREACHABLE and not box.ignored for box in boxes if box.left_out),
        objects=[image.objects for image in seen],
        odd=[
            OddImage(image.reason, len(image.used), image.left_out) for image in seen if image.reason or image.left_out
        ],
    )
    return usage_of(split, dataset, counts)


def usage_of(split: AnnotatedSplit, dataset: FileDataset, counts: BoxCounts) -> Usage:
    """Return the counts of a split from those of its boxes."""
    return Usage(
        split=split.name,
        images=len(split.images),
        images_used=len(split.images) - sum(image.reason is not None for image in counts.odd),
        boxes=counts.boxes,
        ignored=counts.used - sum(counts.by_label),
        by_class=dict(zip(class_names(dataset), counts.by_label, strict=True)),
        left_out=_by_name(_left_out(split, counts.odd)),
        mended={kind.name: split.notes.counts[kind] for kind in kinds.MENDED if split.notes.counts[kind]},
        unreachable=counts.unreachable,
        densest=_densest(split.images, counts.objects, dataset.max_detections),
    )


class _SeenImage(NamedTuple):
    """Hold the facts of a look at an image: the reason not to use it, its used boxes, numbers of boxes and objects, reasons of others."""

    reason: OddityKind | None
    used: list[Box]
    boxes: int
    objects: int
    left_out: tuple[OddityKind, ...]


def _seen(image: Image, split_name: SplitName, dataset: FileDataset) -> _SeenImage:
    """Look at an image's boxes once: those of a large file lie all over memory."""
    found, used = image.boxes, used_boxes(image, split_name)
    reason = unused(image, dataset) if split_name == "train" else None
    left_out = (
        () if len(used) == len(found) else tuple(box.left_out for box in found if box not in used and box.left_out)
    )
    return _SeenImage(reason, used, len(found), len([box for box in found if not box.ignored]), left_out)


def _left_out(split: AnnotatedSplit, odd: Iterable[OddImage]) -> Iterator[OddityKind]:
    for kind in (kinds.UNKNOWN_IMAGES, kinds.UNKNOWN_CATEGORIES):
        yield from [kind] * split.notes.counts[kind]
    for image in odd:
        if image.reason is not None:
            yield image.reason
        if image.reason is kinds.SMALL_IMAGES:
            yield from [kinds.IN_SMALL_IMAGES] * image.used
        yield from image.left_out


def _by_name(found: Iterable[OddityKind]) -> dict[str, int]:
    return {kind.name: count for kind, count in Counter(found).items()}


def _densest(images: Sequence[Image], objects: Sequence[int], most: int) -> Densest:
    if not images:
        return Densest()
    place = max(range(len(images)), key=objects.__getitem__)
    return Densest(images[place].id, objects[place], sum(count > most for count in objects))


def listed(counts: dict[str, int]) -> str:
    """Return counts by reason as text: ``4 small images, 2 boxes without area``."""
    return ", ".join(f"{count} {kinds.COUNTED[name].called(count)}" for name, count in counts.items())
