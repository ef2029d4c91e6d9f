"""Inspect one image file: its header, or every pixel as training sees it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from orchestrator.dataset_check.file_ends import END_MARKS, TAIL
from trainers.schema.annotations.reason import reason
from trainers.schema.image_header import Header, read_header
from trainers.schema.image_pixels import is_transparent, read_pixels, size_of
from trainers.schema.image_rule import ImageError, PixelRule, Size
from trainers.schema.user_file import LARGEST_IMAGE, open_file, read_bytes

MISSING = "does not exist"
CUT = "has no end mark: it can be read, but a part of it may be missing"


@dataclass(frozen=True, slots=True)
class Look:
    """Describe an image file: its sizes (width, height) as training reads them, or a ``problem``, a phrase.

    ``suspicion`` is a phrase too, about a file that can perhaps be read. ``turn_unknown``: EXIF turns the image, and only
    the user knows whether it turns the boxes; ``turns``: it exchanges width and height. ``digest`` is of all its bytes.
    """

    sizes: tuple[tuple[int, int], ...] = ()
    problem: str | None = None
    suspicion: str | None = None
    turn_unknown: bool = False
    transparent: bool = False
    turns: bool = False
    digest: str | None = None


def look_at(path: Path, rule: PixelRule, annotated: Size | None, *, decode: bool) -> Look:
    """Read the header of an image, with ``decode`` all of it; never raises because of the file's contents.

    Files of rare kinds, and those that seem to be cut off, are always decoded: their header does not tell whether
    training can read them.
    """
    try:
        return _look(path, rule, annotated, decode=decode)
    except (FileNotFoundError, NotADirectoryError):
        return Look(problem=MISSING)
    except ImageError as error:
        return Look(problem=str(error))
    except OSError as error:
        return Look(problem=f"cannot be read: {reason(error)}")


def other_size(path: Path, annotated: Size | None, look: Look | Header, rule: PixelRule) -> str | None:
    """Return a phrase where an image has none of the sizes that its annotation may give."""
    sizes = look.sizes if isinstance(look, Look) else look.sizes(rule)
    if annotated is None or not sizes or annotated in sizes:
        return None
    given, found = (f"{size[0]:g} x {size[1]:g}" for size in (annotated, sizes[0]))
    cause = _why_exchanged(look.turns, rule) if annotated == sizes[0][::-1] else ""
    return f"{path} has {found} pixels, annotated are {given}{cause}"


def _why_exchanged(turns: bool, rule: PixelRule) -> str:
    """Return the likely cause of width and height that are exchanged; ``turns``: by an EXIF orientation."""
    if not turns:
        return ": width and height are exchanged, as in an image that has been turned, or has lost its EXIF orientation"
    other, pixels = ("ignore", "as they are stored") if rule.exif == "apply" else ("apply", "as viewers show them")
    return (
        f": its EXIF orientation exchanges width and height, and dataset.exif is {rule.exif}; boxes seem to belong to the "
        f"pixels {pixels}: set dataset.exif to auto or {other}"
    )


def _look(path: Path, rule: PixelRule, annotated: Size | None, *, decode: bool) -> Look:
    header = _header(path)
    sizes = header.sizes(rule) if header else ()
    mark = END_MARKS.get(header.kind) if header else None
    cut = mark is not None and mark not in _tail(path)
    if decode or cut or header is None or not header.plain:
        sizes = (size_of(read_pixels(path, rule, annotated)),)
    return Look(
        sizes,
        suspicion=CUT if cut else None,
        turn_unknown=header is not None and header.leaves_open(rule, annotated),
        turns=header is not None and header.turns,
        transparent=header is not None and header.alpha and is_transparent(path),
        digest=hashlib.sha256(read_bytes(path, LARGEST_IMAGE)).hexdigest() if decode else None,
    )


def _header(path: Path) -> Header | None:
    """Return a file's header, ``None`` if Pillow cannot read it: OpenCV may, or else says why."""
    try:
        return read_header(path)
    except ImageError:
        return None
    except OSError as error:
        if error.errno is None:  # of Pillow, about the file's contents
            return None
        raise


def _tail(path: Path) -> bytes:
    with open_file(path, LARGEST_IMAGE) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        return file.read()
