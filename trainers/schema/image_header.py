"""Read the header of an image file: its kind, and the memory of its pixels. Pillow is imported at the first one."""

import io
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from trainers.schema.image_rule import ImageError, PixelRule, Size
from trainers.schema.user_file import LARGEST_IMAGE, open_file

UPRIGHT = 1
ORIENTATION = 0x0112  # the EXIF tag
EXCHANGED = range(5, 9)  # orientations that exchange width and height
SHALLOW = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}  # modes of at most 8 bits a channel
COMMON = {"JPEG", "MPO", "PNG", "BMP", "WEBP", "GIF", "TIFF"}  # formats that OpenCV reads where Pillow can
USUAL_MOST = 2**27  # pixels of an image
MOST_PIXELS = "OPENCV_IO_MAX_IMAGE_PIXELS"  # the variable of the environment that OpenCV, too, reads
DAMAGE = (  # errors of Pillow about a file's contents, beside OSError
    ValueError, SyntaxError, struct.error, zlib.error, EOFError, LookupError, TypeError, AttributeError, RuntimeError,
    ArithmeticError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """Hold an image file's header.

    ``stored`` is (width, height) before the image is turned. ``plain``: a common format with at most 8 bits a channel, so
    that nothing but damage keeps it from being read. ``alpha``: pixels may be transparent.
    """

    kind: str
    stored: tuple[int, int]
    orientation: int
    plain: bool
    alpha: bool

    @property
    def turns(self) -> bool:
        """Return whether the EXIF orientation exchanges width and height."""
        return self.orientation in EXCHANGED

    @property
    def turned(self) -> tuple[int, int]:
        """Return (width, height) as viewers show the image."""
        width, height = self.stored
        return (height, width) if self.turns else (width, height)

    def sizes(self, rule: PixelRule) -> tuple[tuple[int, int], ...]:
        """Return the sizes that an annotation may give."""
        by_rule = {"auto": (self.turned, self.stored), "apply": (self.turned,), "ignore": (self.stored,)}
        return by_rule[rule.exif]

    def leaves_open(self, rule: PixelRule, annotated: Size | None) -> bool:
        """Return whether only the user knows if boxes belong to the stored or to the turned pixels."""
        told = self.turned != self.stored and annotated in (self.turned, self.stored)
        return rule.exif == "auto" and self.orientation != UPRIGHT and not told


def read_header(path: Path) -> Header:
    """Parse the header of a file; raises ``OSError``, or ``ImageError`` where Pillow finds no image."""
    with open_file(path, LARGEST_IMAGE) as file, _opened(file) as image:
        return _header(image)


def why_unreadable(content: bytes) -> str:
    """Return a phrase on an image that OpenCV did not read, in Pillow's words where it does not either."""
    try:
        with _opened(io.BytesIO(content)) as image:
            kind = _header(image).kind
            image.load()
    except ImageError as error:
        return str(error)
    except OSError as error:
        return f"is damaged: {error}"
    return f"is a kind of {kind} that OpenCV does not read"


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks about metadata
            Image.MAX_IMAGE_PIXELS = most_pixels()
            with Image.open(file) as image:
                yield image
    except UnidentifiedImageError as error:
        raise ImageError("is no image") from error
    except Image.DecompressionBombError as error:
        raise ImageError(_too_large(f"{_first_number(str(error))} pixels")) from error
    except DAMAGE as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"is damaged: {error}") from error


def most_pixels() -> int:
    """Return how many pixels an image may have, for OpenCV and Pillow alike."""
    given = os.environ.get(MOST_PIXELS, "")
    return int(given) if given.isdecimal() else USUAL_MOST


def _first_number(text: str) -> str:
    found = re.search(r"\d+", text)
    return found[0] if found else "too many"


def _too_large(found: str) -> str:
    return (
        f"claims to be huge: {found}, more than {most_pixels()} in all; cut it into tiles, or set the environment "
        f"variable {MOST_PIXELS} to more where memory allows"
    )


def _header(image: Any) -> Header:
    width, height = image.size
    if width * height > most_pixels():
        raise ImageError(_too_large(f"{width} x {height} pixels"))
    deep = any("16" in str(tile[3]) for tile in image.tile)  # colours of 16 bits have a mode of 8
    return Header(
        kind=image.format or "",
        stored=(width, height),
        orientation=_orientation(image),
        plain=image.format in COMMON and image.mode in SHALLOW and not deep,
        alpha=image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info,
    )


def _orientation(image: Any) -> int:
    """Return the EXIF orientation that OpenCV applies, from the file's EXIF data alone.

    Pillow's own ``getexif`` also looks elsewhere, and in some files decodes every pixel for it. TIFF's orientation is
    part of the format: all readers apply it.
    """
    from PIL import Image

    if "exif" not in image.info or image.format == "TIFF":
        return UPRIGHT
    exif = Image.Exif()
    try:
        exif.load(image.info["exif"])
        found = exif.get(ORIENTATION)
    except (OSError, *DAMAGE):
        return UPRIGHT
    return found if isinstance(found, int) and 1 <= found <= 8 else UPRIGHT
