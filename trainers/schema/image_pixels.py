"""Turn an image file into the pixels that training, evaluation, ``predict`` and ``data check`` see.

docs/studies.md tells the rule for each kind of file. OpenCV and numpy are imported at the first image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainers.schema.image_header import why_unreadable
from trainers.schema.image_rule import FULL_DEPTH, ImageError, PixelRule, Size
from trainers.schema.user_file import LARGEST_IMAGE, open_file, read_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]  # (height, width, 3), blue first

FIRST = 16  # images of a split by which the bits of 16-bit images are judged
HEAD = 1024  # bytes
NEVER_DEEP = (b"\xff\xd8", b"BM", b"GIF8", b"RIFF")  # how JPEG, BMP, GIF and WebP files begin
PNG, PNG_DEPTH = b"\x89PNG", 24  # how PNG files begin, and where they say their bits a channel
FOREIGN = {
    b"ftyphei": "is a HEIC file: convert it to JPEG",
    b"ftypmif": "is a HEIC file: convert it to JPEG",
    b"version https://git-lfs": "is a pointer of Git LFS: fetch the file itself with `git lfs pull`",
    b"<!doctype html": "is a web page: its download went wrong",
    b"<html": "is a web page: its download went wrong",
    b"%pdf": "is a PDF file",
    b"<svg": "is an SVG drawing: convert it to PNG",
    b"dicm": "is a DICOM file: convert it to PNG",
}  # by what stands, in lower case, near the beginning


def read_pixels(path: Path, rule: PixelRule, annotated: Size | None = None) -> Pixels:
    """Return an image, uint8 (height, width, 3) with blue first.

    ``annotated`` is the size that belongs to its boxes. Raises ``ImageError`` or ``OSError``.
    """
    return pixels_of(read_bytes(path, LARGEST_IMAGE), rule, annotated)


def pixels_of(content: bytes, rule: PixelRule, annotated: Size | None = None) -> Pixels:
    """Return the image that a file's content holds; see ``read_pixels``."""
    found = _decoded(content, turned=rule.exif != "ignore")
    if rule.exif == "auto" and annotated is not None and _is_lying(found, annotated):
        stored = _decoded(content, turned=False)
        found = stored if size_of(stored) == annotated else found
    return _eight_bits(found, rule.bit_depth)


def size_of(pixels: Any) -> tuple[int, int]:
    """Return the width and height of pixels."""
    height, width = pixels.shape[:2]
    return int(width), int(height)


def is_transparent(path: Path) -> bool:
    """Return whether any pixel of an image is not opaque."""
    found = _imdecode(read_bytes(path, LARGEST_IMAGE), _opencv().IMREAD_UNCHANGED)
    if found is None or found.ndim != 3 or found.shape[2] != 4:
        return False
    opacity = found[:, :, 3]
    return bool(opacity.min() < (255 if found.dtype == "uint8" else 65535))


def settled(rule: PixelRule, paths: Iterable[Path]) -> PixelRule:
    """Return the rule with the bit depth that the first of a split's images show, if it is not given.

    16-bit images whose values fill their range need no word of the user. Where none of the first reaches the upper half,
    they would be nearly black: raises ``ImageError``. Images that cannot be read are left to those who need them.
    """
    if rule.bit_depth is not None:
        return rule
    tops = [top for path in islice(paths, FIRST) if (top := _top_of_deep(path)) is not None]
    if not tops:
        return rule
    bits = max(8, max(tops).bit_length())
    if bits < FULL_DEPTH:
        raise ImageError(
            f"16-bit images whose values reach only {max(tops)} of 65535 would be nearly black: "
            f"set dataset.bit_depth to the bits that the values use ({bits}?), or to 16 if the images are that dark"
        )
    return replace(rule, bit_depth=FULL_DEPTH)


def _top_of_deep(path: Path) -> int | None:
    """Return the largest value of a 16-bit image, ``None`` for every other file."""
    try:
        with open_file(path, LARGEST_IMAGE) as file:
            head = file.read(PNG_DEPTH + 1)
            if head.startswith(NEVER_DEEP) or (head.startswith(PNG) and head[PNG_DEPTH:] != bytes([FULL_DEPTH])):
                return None
            found = _decoded(head + file.read(), turned=False)
    except (OSError, ImageError):
        return None
    return int(found.max()) if found.dtype == "uint16" else None


def _is_lying(pixels: Any, annotated: Size) -> bool:
    width, height = size_of(pixels)
    return width != height and annotated == (height, width)


def _eight_bits(found: Any, bit_depth: int | None) -> Pixels:
    if found.dtype == "uint8":
        return found  # type: ignore[no-any-return]
    if bit_depth is None:
        raise ImageError("holds 16 bits a channel: set dataset.bit_depth to the bits that its values use, 16 for all")
    return (found >> (bit_depth - 8)).clip(max=255).astype("uint8")  # type: ignore[no-any-return]


def _decoded(content: bytes, *, turned: bool) -> Any:
    """Return an image in three channels of 8 or 16 bits; ``turned`` by its EXIF orientation or as stored."""
    cv2 = _opencv()
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | (0 if turned else cv2.IMREAD_IGNORE_ORIENTATION)
    found = _imdecode(content, flags) if content else None
    if found is None or str(found.dtype) not in ("uint8", "uint16"):
        raise ImageError(_cause(content))
    return found


def _cause(content: bytes) -> str:
    """Describe why an image cannot be used."""
    if not content:
        return "is empty"
    found = _imdecode(content, _opencv().IMREAD_UNCHANGED)
    if found is not None:
        return f"holds {found.dtype} values, and nothing says which are black and white: convert it to 8 or 16 bits"
    head = content[:HEAD].lower()
    known = next((words for mark, words in FOREIGN.items() if mark in head), None)
    return known or why_unreadable(content)


def _imdecode(content: bytes, flags: int) -> Any:
    import numpy as np

    cv2 = _opencv()
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # sides that no image has, or more pixels than are read
        return None


@cache
def _opencv() -> Any:
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # its remarks name no file
    return cv2
