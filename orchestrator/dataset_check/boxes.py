"""Check that boxes have an area, and have it inside their images."""

from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.split import CheckedBox, Split
from trainers.schema.annotations.kinds import BELOW_PIXEL, NO_AREA
from trainers.schema.annotations.place import told

ROUNDING = 0.1  # pixels by which a box at an image's edge leaves it where its file rounds numbers
REACHING_OUT = "boxes partly outside of their images"


def check_boxes(split: Split, findings: Findings) -> None:
    """Note boxes that have no area, lie outside of their images, wholly or in part, or are below a pixel."""
    for box in split.boxes:
        if box.left_out is None:
            if not split.told_corners:
                _check_edges(box, split, findings)
        elif box.left_out is not BELOW_PIXEL:
            findings.error(box.left_out.name, box.where, _message(box, split))
    _note_small_ones([box for box in split.boxes if box.left_out is BELOW_PIXEL], findings)


def _message(box: CheckedBox, split: Split) -> str:
    if box.left_out is NO_AREA:
        return f"has no area: corners {told(box.corners)}"
    return f"lies outside: {_place(box, split)}"


def _check_edges(box: CheckedBox, split: Split, findings: Findings) -> None:
    size = split.images[box.image].size
    x1, y1, x2, y2 = box.corners
    if size is not None and max(-x1, -y1, x2 - size[0], y2 - size[1]) > ROUNDING:
        findings.warning(REACHING_OUT, box.where, f"reaches out: {_place(box, split)}")


def _place(box: CheckedBox, split: Split) -> str:
    size = split.images[box.image].size
    return f"corners {told(box.corners)}" + (f" in an image of {size[0]:g} x {size[1]:g}" if size else "")


def _note_small_ones(boxes: list[CheckedBox], findings: Findings) -> None:
    if boxes:
        more = f" (and {len(boxes) - 1} more)" if len(boxes) > 1 else ""
        message = f"has a side below a pixel: evaluated, but not trained on: corners {told(boxes[0].corners)}{more}"
        findings.warning(BELOW_PIXEL.name, boxes[0].where, message)
