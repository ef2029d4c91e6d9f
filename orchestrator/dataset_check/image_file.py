"""Inspect one image file: its header, or every pixel as training sees it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainers.schema.annotations.reason import reason
from trainers.schema.image_header import Header, read_header
from trainers.schema.image_pixels import is_transparent, read_pixels, size_of
from trainers.schema.image_rule import ImageError, PixelRule, Size

MISSING = "does not exist"
TAIL = 4096  # bytes at a file's end in which its end mark has to be
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


@dataclass(frozen=True, slots=True)
class Look:
    """Describe an image file: its sizes (width, height) as training reads them, or a ``problem``, a phrase.

    ``suspicion`` is a phrase too, about a file that can perhaps be read. ``turn_unknown``: EXIF turns the image, and only
    the user knows whether it turns the boxes. ``digest`` is of all its bytes.
    """

    sizes: tuple[tuple[int, int], ...] = ()
    problem: str | None = None
    suspicion: str | None = None
    turn_unknown: bool = False
    transparent: bool = False
    digest: str | None = None


def look_at(path: Path, rule: PixelRule, annotated: Size | None, *, decode: bool) -> Look:
    """Read the header of an image, with ``decode`` all of it; never raises because of the file's contents.

    Files of rare kinds are always decoded: their header does not tell whether training can read them.
    """
    try:
        return _look(path, rule, annotated, decode=decode)
    except FileNotFoundError:
        return Look(problem=MISSING)
    except ImageError as error:
        return Look(problem=str(error))
    except OSError as error:
        return Look(problem=f"cannot be read: {reason(error)}")


def other_size(path: Path, annotated: Size | None, sizes: Sequence[tuple[int, int]]) -> str | None:
    """Return a phrase where an image has none of the sizes that its annotation may give."""
    if annotated is None or not sizes or annotated in sizes:
        return None
    given, found = (f"{size[0]:g} x {size[1]:g}" for size in (annotated, sizes[0]))
    return f"{path} has {found} pixels, annotated are {given}"


def _look(path: Path, rule: PixelRule, annotated: Size | None, *, decode: bool) -> Look:
    header = _header(path)
    sizes = header.sizes(rule) if header else ()
    if decode or header is None or not header.plain:
        sizes = (size_of(read_pixels(path, rule, annotated)),)
    mark = END_MARKS.get(header.kind) if header else None
    cut = mark is not None and mark not in _tail(path)
    return Look(
        sizes,
        suspicion="has no end mark, so it may be cut off" if cut else None,
        turn_unknown=header is not None and header.leaves_open(rule, annotated),
        transparent=header is not None and header.alpha and is_transparent(path),
        digest=hashlib.sha256(path.read_bytes()).hexdigest() if decode else None,
    )


def _header(path: Path) -> Header | None:
    """Return a file's header, ``None`` if only OpenCV can read its kind."""
    try:
        return read_header(path)
    except ImageError:
        return None


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        return file.read()
