"""Note content that can be trained on and that usually is a mistake: repeated boxes, fractions, shared files."""

from itertools import chain

from trainers.schema.annotations import kinds
from trainers.schema.annotations.numbers import shown
from trainers.schema.annotations.records import AnnotatedSplit, Box, Image


def note_shared_files(split: AnnotatedSplit, effect: str) -> None:
    """Note the images whose file an earlier image has too; ``effect`` names the consequence."""
    first: dict[str, Image] = {}
    for image in split.images:
        other = first.setdefault(image.path, image)
        if other is not image:
            message = f"has the file {image.path}, as {_named(other)} has: {effect}"
            split.notes.add(kinds.SHARED_FILES, image.where, message)


def _named(image: Image) -> str:
    return image.where if image.where.endswith(".xml") else f"image {shown(image.id)}"


def note_repeated_boxes(split: AnnotatedSplit) -> None:
    """Note boxes that equal an earlier one of their image in class, corner and size: a detection can match one alone."""
    for image in split.images:
        boxes = [box for box in image.boxes if box.left_out is None]
        # two parts of a box mostly tell it from the others, and each further one is another place in memory
        if len({box[:2] for box in boxes}) < len(boxes) and len({box[:5] for box in boxes}) < len(boxes):
            _note_repeated(split, image, boxes)


def _note_repeated(split: AnnotatedSplit, image: Image, boxes: list[Box]) -> None:
    seen: set[tuple[object, ...]] = set()
    for box in boxes:
        if box[:5] in seen:
            message = "gives the same box and class as an earlier one of its image"
            split.notes.add(kinds.REPEATED_BOXES, image.where_of(box), message)
        seen.add(box[:5])


def note_fractions(split: AnnotatedSplit, where: str) -> None:
    """Note that every box lies within a single pixel, as fractions of the image's size do."""
    boxes = list(chain.from_iterable(image.boxes for image in split.images if image.boxes))
    if boxes and all(map(_is_fraction, boxes)):
        example = [boxes[0].x, boxes[0].y, boxes[0].width, boxes[0].height]
        message = f"no box, such as {example}, leaves the first pixel: are these fractions of the image? COCO's bbox is in pixels"
        split.notes.add(kinds.FRACTIONS, where, message)


def _is_fraction(box: Box) -> bool:
    return 0 <= box.x <= 1 and 0 <= box.y <= 1 and 0 < box.width <= 1 and 0 < box.height <= 1
