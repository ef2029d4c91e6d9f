"""Hold one split of a dataset as its annotation files describe it, in any format."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from trainers.schema.annotations import OddityKind, SplitName
from trainers.schema.annotations.usage import Usage

Corners = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels from the image's upper left corner
Size = tuple[float, float]  # width, height in pixels


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """Hold one image: its file, the size that the annotation gives if it gives one, and where that is written."""

    file: Path
    size: Size | None
    where: str


@dataclass(frozen=True, slots=True)
class CheckedBox:
    """Hold one box of the study's classes; ``ignored`` are crowds, difficult objects and those marked to be ignored.

    ``left_out`` is why training does without it.
    """

    image: Hashable
    label: str
    corners: Corners
    ignored: bool
    where: str
    left_out: OddityKind | None


@dataclass(slots=True)
class Split:
    """Hold the images of a split by their ids, the boxes of the study's classes, and how many others there are.

    ``usage`` counts its used images and boxes. ``told_missing``: the reader has noted that image files are missing;
    ``told_corners``: that the boxes seem to be given as corners, or to count pixels from 0.
    """

    name: SplitName
    images: dict[Hashable, CheckedImage] = field(default_factory=dict)
    boxes: list[CheckedBox] = field(default_factory=list)
    other_boxes: int = 0
    told_missing: bool = False
    told_corners: bool = False
    usage: Usage = field(default_factory=lambda: Usage(""))
