"""Hold one split of a dataset as its annotation files describe it, in any format."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from trainers.schema.annotations import Image, SplitName
from trainers.schema.annotations.usage import Usage

Size = tuple[float, float]  # width, height in pixels


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """Hold one image: its file, the size that the annotation gives if it gives one, and where that is written."""

    file: Path
    size: Size | None
    where: str


@dataclass(slots=True)
class Split:
    """Hold the images of a split by their ids, and as they were read, with the boxes of the study's classes.

    ``other_boxes`` counts boxes of other classes. ``usage`` counts its used images and boxes. ``told_missing``: the reader has noted that image files are missing;
    ``told_corners``: that the boxes seem to be given as corners, or to count pixels from 0.
    """

    name: SplitName
    images: dict[Hashable, CheckedImage] = field(default_factory=dict)
    read: list[Image] = field(default_factory=list)
    other_boxes: int = 0
    told_missing: bool = False
    told_corners: bool = False
    usage: Usage = field(default_factory=lambda: Usage(""))
