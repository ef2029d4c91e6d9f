"""Hold one split of a dataset as plain records, for any file format."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from trainers.schema.annotations.kinds import OddityKind
from trainers.schema.annotations.notes import Notes
from trainers.schema.annotations.numbers import shown
from trainers.schema.dataset import SplitName
from trainers.schema.files_digest import FilesDigest

Corners = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels from the image's upper left corner
ImageId = int | str
SizeOf = Callable[[Path], tuple[int, int]]  # reads an image file and returns its width and height


class Box(NamedTuple):
    """Hold one box of the study's classes, as the file gives it: corner and size in pixels.

    ``label`` counts the study's classes from 0. ``area`` is in square pixels and above 0: the file's own where that
    is usable. ``ignored`` marks crowds, difficult objects and those marked to be ignored: they are nothing to learn, and
    a detection inside of one counts neither way. ``key`` is the annotation's id, or the object's position from 1.
    ``left_out`` is why the box is not trained on. ``evaluated`` tells whether evaluation knows the box: every one of a COCO
    file, as in pycocotools.
    """

    label: int
    x: float
    y: float
    width: float
    height: float
    area: float
    ignored: bool
    key: object
    left_out: OddityKind | None = None
    evaluated: bool = True

    @property
    def corners(self) -> Corners:
        """Return (x1, y1, x2, y2)."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    @property
    def trained(self) -> bool:
        """Return whether training is given the box."""
        return self.left_out is None


@dataclass(slots=True)
class Image:
    """Hold one image: the user's id, its file, its size in pixels (``None`` where nothing tells it), and its boxes.

    ``where`` is the place that describes the image, ``boxes_where`` the beginning of its boxes' places. ``annotated``
    tells whether the image counts as one with boxes.
    """

    id: ImageId
    path: str
    width: int | None
    height: int | None
    where: str
    boxes_where: str
    boxes: list[Box] = field(default_factory=list)
    annotated: bool = False

    @property
    def size(self) -> tuple[int, int] | None:
        """Return (width, height)."""
        return None if self.width is None or self.height is None else (self.width, self.height)

    def where_of(self, box: Box) -> str:
        """Return the place that describes a box."""
        return f"{self.boxes_where} {shown(box.key)}"


@dataclass(slots=True)
class AnnotatedSplit:
    """Hold a split: its images in the files' order, and everything that is odd about them.

    ``others`` counts boxes of names that are no class of the study; ``names`` are the categories of a COCO file.
    ``readings`` counts the annotations that earlier releases read differently, by kind. ``seen`` are
    the digests of a VOC split's parts, ``None`` for those with files that could not be read. ``listings`` holds the names in
    each folder in which a COCO split's images were looked up, by its path below the root.
    """

    name: SplitName
    images: list[Image] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    names: tuple[str, ...] = ()
    others: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)
    seen: list[FilesDigest | None] = field(default_factory=list)
    listings: dict[str, frozenset[str]] = field(default_factory=dict)
