"""Write a file so that it is whole or absent."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_atomically(target: Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` on a temporary file beside ``target``, flush it to disk, and rename it to ``target``.

    On return the file and its name survive a power cut. When anything fails, ``target`` is unchanged and the temporary
    file is gone. Raises ``OSError`` with the name of ``target`` when the disk is full or cannot be written.
    """
    partial = partial_of(target)
    try:
        write(partial)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(target)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        partial.unlink(missing_ok=True)  # still there only when something above failed
    _flush_folder(target.parent)


def partial_of(target: Path) -> Path:
    """Return where ``target`` lies until it is whole."""
    return target.with_name(f".{target.name}.partial")


def write_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` atomically."""
    write_atomically(target, lambda path: path.write_text(text))


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot, and need not, flush a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
