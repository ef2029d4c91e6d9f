"""Check that boxes have an area, and have it inside their images."""

import math

from orchestrator.data_check.ledger import Ledger
from orchestrator.data_check.split import Box, Corners, Size, Split


def check_boxes(split: Split, ledger: Ledger) -> None:
    """Note boxes that are no numbers, have no area, or lie outside of their images, wholly or in part."""
    for box in split.boxes:
        if not all(math.isfinite(value) for value in box.corners):
            ledger.error("boxes that are no numbers", box.where, f"has the corners {_shown(box.corners)}")
        elif box.corners[2] <= box.corners[0] or box.corners[3] <= box.corners[1]:
            ledger.error("boxes without area", box.where, f"has no area: corners {_shown(box.corners)}")
        else:
            _check_place(box, split.images[box.image].size, ledger)


def _check_place(box: Box, size: Size | None, ledger: Ledger) -> None:
    if size is None:
        return
    x1, y1, x2, y2 = box.corners
    place = f"corners {_shown(box.corners)} in an image of {size[0]:g} x {size[1]:g}"
    if x2 <= 0 or y2 <= 0 or x1 >= size[0] or y1 >= size[1]:
        ledger.error("boxes outside of their images", box.where, f"lies outside: {place}")
    elif x1 < 0 or y1 < 0 or x2 > size[0] or y2 > size[1]:
        ledger.warning("boxes partly outside of their images", box.where, f"reaches out: {place}")


def _shown(corners: Corners) -> str:
    return f"({', '.join(f'{value:g}' for value in corners)})"
