"""Recognise a torch checkpoint by its first bytes and its index, without importing torch."""

import zipfile
from pathlib import Path

from trainers.schema.torch_archive import FIRST, text_instead
from trainers.schema.user_file import open_file

LEGACY = b"\x80"  # files of torch before 1.6 are pickles, and public detectors still come as such


def problem_with(path: Path) -> str | None:
    """Return why ``path`` cannot be a whole torch checkpoint, ``None`` when it looks like one."""
    try:
        with open_file(path) as stream:
            first = stream.read(1)
            if first == b"":
                return "is empty"
            if text := text_instead(first + stream.read(FIRST)):
                return text
            if first == LEGACY or zipfile.is_zipfile(stream):
                return None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return "is no torch checkpoint, or is cut short"
