"""Decide whether a box can be learned and found at all."""

from trainers.schema.annotations.kinds import BELOW_PIXEL, NO_AREA, OUTSIDE, OddityKind

SMALLEST_SIDE = 1  # pixels; smaller boxes are not trained on, as in mmdet


def reason_to_leave_out(
    x: float, y: float, width: float, height: float, image: tuple[float, float] | None
) -> OddityKind | None:
    """Return why a box is not trained on, ``None`` for a good one; the rule is mmdet's.

    A box has to have an area in common with its image, whose size is (width, height), and sides of a pixel at least.
    Without a size the box alone decides.
    """
    if width <= 0 or height <= 0:
        return NO_AREA
    if image is not None and not _meets(x, y, width, height, image):
        return OUTSIDE
    return BELOW_PIXEL if width < SMALLEST_SIDE or height < SMALLEST_SIDE else None


def _meets(x: float, y: float, width: float, height: float, image: tuple[float, float]) -> bool:
    # mmdet's own arithmetic, so that the last bit decides as it does there
    inside = max(0, min(x + width, image[0]) - max(x, 0)) * max(0, min(y + height, image[1]) - max(y, 0))
    return inside > 0


def told(corners: tuple[float, float, float, float]) -> str:
    """Return corners for a message."""
    return f"({', '.join(f'{value:g}' for value in corners)})"
