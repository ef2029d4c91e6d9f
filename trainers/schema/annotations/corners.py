"""Guess that a file gives boxes by two corners, where COCO's format asks for one corner and a size."""

from collections.abc import Iterator
from itertools import islice

from trainers.schema.annotations.records import AnnotatedSplit, Box

MOST = 2000  # boxes that are looked at, of images from all over the file
SLACK = 1  # pixel: boxes at an image's edge may reach out of it by a rounding

Size = tuple[int, int]


def guess_of_corners(split: AnnotatedSplit) -> str | None:
    """Return a question where most boxes leave their images as they are read, and fit into them as corners."""
    seen = list(islice(_boxes_with_size(split), MOST))
    likely = [box for box, size in seen if _reaches_out(box, size) and _fits_as_corners(box, size)]
    if 2 * len(likely) <= len(seen):
        return None
    example = [likely[0].x, likely[0].y, likely[0].width, likely[0].height]
    return (
        f"{len(likely)} of {len(seen)} boxes looked at, such as {example}, reach out of their images as x, y, width, "
        "height and fit as x1, y1, x2, y2: does the file give corners? COCO's bbox is x, y, width, height"
    )


def _boxes_with_size(split: AnnotatedSplit) -> Iterator[tuple[Box, Size]]:
    for image in split.images[:: len(split.images) // MOST + 1]:
        if image.size is not None:
            yield from ((box, image.size) for box in image.boxes)


def _reaches_out(box: Box, size: Size) -> bool:
    return box.x + box.width > size[0] + SLACK or box.y + box.height > size[1] + SLACK


def _fits_as_corners(box: Box, size: Size) -> bool:
    return 0 <= box.x < box.width <= size[0] and 0 <= box.y < box.height <= size[1]
