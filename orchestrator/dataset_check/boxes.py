"""Check that boxes have an area, and have it inside their images."""

from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.split import Split
from trainers.schema.annotations import Box, Image
from trainers.schema.annotations.kinds import BELOW_PIXEL, NO_AREA
from trainers.schema.annotations.place import told

ROUNDING = 0.1  # pixels by which a box at an image's edge leaves it where its file rounds numbers
REACHING_OUT = "boxes partly outside of their images"


def check_boxes(split: Split, findings: Findings) -> None:
    """Note boxes that have no area, lie outside of their images, wholly or in part, or are below a pixel."""
    small: list[tuple[Image, Box]] = []
    for image in split.read:
        for box in image.boxes:
            if box.left_out is None:
                if not split.told_corners and _leaves(box, image):
                    findings.warning(REACHING_OUT, image.where_of(box), f"reaches out: {_place(box, image)}")
            elif box.left_out is BELOW_PIXEL:
                small.append((image, box))
            else:
                findings.error(box.left_out.name, image.where_of(box), _message(box, image))
    _note_small_ones(small, findings)


def _message(box: Box, image: Image) -> str:
    if box.left_out is NO_AREA:
        return f"has no area: corners {told(box.corners)}"
    return f"lies outside: {_place(box, image)}"


def _leaves(box: Box, image: Image) -> bool:
    if image.width is None or image.height is None:
        return False
    x1, y1, x2, y2 = box.corners
    return max(-x1, -y1, x2 - image.width, y2 - image.height) > ROUNDING


def _place(box: Box, image: Image) -> str:
    size = image.size
    return f"corners {told(box.corners)}" + (f" in an image of {size[0]:g} x {size[1]:g}" if size else "")


def _note_small_ones(boxes: list[tuple[Image, Box]], findings: Findings) -> None:
    if boxes:
        image, box = boxes[0]
        more = f" (and {len(boxes) - 1} more)" if len(boxes) > 1 else ""
        message = f"has a side below a pixel: evaluated, but not trained on: corners {told(box.corners)}{more}"
        findings.warning(BELOW_PIXEL.name, image.where_of(box), message)
