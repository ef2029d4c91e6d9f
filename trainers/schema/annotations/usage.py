"""Decide which images and boxes of a split are used, and count the others by reason."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from trainers.schema.annotations import kinds
from trainers.schema.annotations.kinds import OddityKind
from trainers.schema.annotations.records import AnnotatedSplit, Box, Image
from trainers.schema.dataset import FileDataset, class_names


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


def usage(split: AnnotatedSplit, dataset: FileDataset) -> Usage:
    """Return the counts of a split."""
    names = class_names(dataset)
    used = used_images(split, dataset)
    boxes = [box for image in used for box in used_boxes(image, split.name)]
    by_label = Counter([box.label for box in boxes if not box.ignored])
    return Usage(
        split=split.name,
        images=len(split.images),
        images_used=len(used),
        boxes=sum(len(image.boxes) for image in split.images),
        ignored=len(boxes) - by_label.total(),
        by_class={name: by_label[label] for label, name in enumerate(names)},
        left_out=_by_name(_left_out(split, dataset)),
        mended={kind.name: split.notes.counts[kind] for kind in kinds.MENDED if split.notes.counts[kind]},
        unreachable=sum(box.left_out in kinds.UNREACHABLE and not box.ignored for box in boxes if box.left_out),
        densest=_densest(split.images, dataset.max_detections),
    )


def _left_out(split: AnnotatedSplit, dataset: FileDataset) -> Iterator[OddityKind]:
    for kind in (kinds.UNKNOWN_IMAGES, kinds.UNKNOWN_CATEGORIES):
        yield from [kind] * split.notes.counts[kind]
    for image in split.images:
        reason = unused(image, dataset) if split.name == "train" else None
        if reason is not None:
            yield reason
        yield from _boxes_left_out(image, split.name, reason)


def _boxes_left_out(image: Image, split_name: str, reason: OddityKind | None) -> Iterator[OddityKind]:
    used = used_boxes(image, split_name)
    if reason is kinds.SMALL_IMAGES:
        yield from [kinds.IN_SMALL_IMAGES] * len(used)
    if len(used) < len(image.boxes):
        yield from (box.left_out for box in image.boxes if box not in used and box.left_out)


def _by_name(found: Iterable[OddityKind]) -> dict[str, int]:
    return {kind.name: count for kind, count in Counter(found).items()}


def _densest(images: list[Image], most: int) -> Densest:
    counts = [(len([box for box in image.boxes if not box.ignored]), image.id) for image in images]
    objects, image_id = max(counts, key=lambda item: item[0], default=(0, None))
    return Densest(image_id, objects, sum(count > most for count, _ in counts))


def listed(counts: dict[str, int]) -> str:
    """Return counts by reason as text: ``4 small images, 2 boxes without area``."""
    return ", ".join(f"{count} {kinds.COUNTED[name].called(count)}" for name, count in counts.items())
