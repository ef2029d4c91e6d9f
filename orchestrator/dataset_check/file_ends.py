"""Look at the first and last bytes of an image file: they betray most damage at a tenth of the cost of a parsed header."""

import os

from trainers.schema.user_file import LARGEST_IMAGE, open_descriptor

HEAD, NEAR_END = 16, 512  # bytes that are read here: of files with more after their end mark, ask ``image_file``
TAIL = 4096  # bytes at a file's end in which its end mark has to be
JPEG, PNG, RIFF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"
BEGINNINGS = (JPEG, PNG, RIFF, b"BM", b"GIF8", b"II*\0", b"MM\0*")
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


def seems_whole(path: str) -> bool | None:
    """Return whether a file begins like a common kind of image and is not cut off; ``None`` if it does not exist.

    ``False`` asks for a closer look, which an image of a rare kind needs, too, and one with a trailer.
    """
    try:
        file, status = open_descriptor(path, LARGEST_IMAGE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return False
    try:
        size = status.st_size
        return _is_whole(os.read(file, HEAD), os.pread(file, NEAR_END, max(0, size - NEAR_END)), size)
    except OSError:
        return False
    finally:
        os.close(file)


def _is_whole(head: bytes, tail: bytes, size: int) -> bool:
    if head.startswith(JPEG):
        return END_MARKS["JPEG"] in tail
    if head.startswith(PNG):
        return END_MARKS["PNG"] in tail
    if head.startswith(RIFF):  # WebP: the length of everything after these eight bytes
        return size >= 8 + int.from_bytes(head[4:8], "little")
    return head.startswith(BEGINNINGS)
