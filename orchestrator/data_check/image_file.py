"""Look at one image file: its header, or every pixel."""

import hashlib
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from orchestrator.data_check.reason import reason

ORIENTATION = 0x0112  # the EXIF tag; from 5 on, width and height are exchanged when the image is shown
EXCHANGED = range(5, 9)
TAIL = 4096  # bytes at a file's end in which its end mark has to be
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
DAMAGE = (OSError, ValueError, SyntaxError, struct.error, zlib.error, EOFError, IndexError, KeyError, TypeError)


@dataclass(frozen=True, slots=True)
class Look:
    """Say what an image file holds: (width, height) as training sees it, or a ``problem``, a phrase.

    ``suspicion`` is a phrase too, about a file that can perhaps be read. ``digest`` is of all its bytes.
    """

    size: tuple[int, int] | None = None
    problem: str | None = None
    suspicion: str | None = None
    digest: str | None = None


def look_at(path: Path, *, decode: bool) -> Look:
    """Read the header of an image, with ``decode`` all of it; never raises for what the file holds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks about metadata; errors are told
            return _look(path, decode=decode)
    except FileNotFoundError:
        return Look(problem="does not exist")
    except UnidentifiedImageError:
        return Look(problem="is empty" if path.stat().st_size == 0 else "is no image")
    except Pillow.DecompressionBombError as error:
        return Look(problem=f"claims to be huge: {error}")
    except DAMAGE as error:
        return Look(problem=f"cannot be read: {reason(error)}")


def _look(path: Path, *, decode: bool) -> Look:
    with Pillow.open(path) as image:
        size = _seen_size(image)
        mark = END_MARKS.get(image.format or "")
        if decode:
            image.load()
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if decode else None
    cut = mark is not None and mark not in _tail(path)
    return Look(size, suspicion="has no end mark, so it may be cut off" if cut else None, digest=digest)


def _seen_size(image: Pillow.Image) -> tuple[int, int]:
    width, height = image.size
    # asked only of files that have EXIF data: of a PNG file without, Pillow would decode every pixel to find some
    turned = "exif" in image.info and image.getexif().get(ORIENTATION) in EXCHANGED
    return (height, width) if turned else (width, height)


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        return file.read()
