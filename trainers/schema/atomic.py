"""Write a file so that it is whole or absent, and delete one only while nobody else has taken over its folder."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainers.schema.fence import fence_of, require_claim


def write_atomically(target: Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` on a temporary file, flush it to disk, and rename it to ``target``.

    The temporary file lies beside ``target``, or in the fence of its folder. On return the file and its name survive a
    power cut. When anything fails, ``target`` is unchanged and the temporary file is gone. Raises ``OSError`` with the
    name of ``target`` when the disk is full or cannot be written, ``FencedOff`` when another job has taken over the folder.
    """
    partial = partial_of(target)
    try:
        write(partial)
        flush_file(partial)
        partial.replace(target)
    except OSError as error:
        require_claim(target.parent)
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        partial.unlink(missing_ok=True)  # still there only when something above failed
    flush_folder(target.parent)


def flush_file(path: Path) -> None:
    """Wait until the bytes of a file are on disk; until then a power cut may leave it empty under a new name."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def partial_of(target: Path) -> Path:
    """Return where ``target`` lies until it is whole."""
    fence = fence_of(target.parent)
    partial = target.with_name(f".{target.name}.partial")
    return partial if fence is None else fence / partial.name


def write_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` atomically."""
    write_atomically(target, lambda path: path.write_text(text))


def write_bytes(target: Path, content: bytes) -> None:
    """Write ``content`` to ``target`` atomically."""
    write_atomically(target, lambda path: path.write_bytes(content))


def remove(path: Path) -> None:
    """Delete a file, if it is there; raise ``FencedOff`` when another job has taken over its folder.

    In a fenced folder the file goes into the fence first: a rename that was prepared before the takeover fails after it,
    a deletion would not.
    """
    fence = fence_of(path.parent)
    if fence is None:
        path.unlink(missing_ok=True)
        return
    removed = fence / f".{path.name}.removed"
    try:
        path.rename(removed)
    except FileNotFoundError:
        require_claim(path.parent)
        return  # it was not there
    removed.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot, and need not, flush a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
