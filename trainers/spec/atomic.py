"""Write a file so that it is whole or absent."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_atomically(target: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file beside ``target``, flush it to disk, and give it the name ``target``."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        write(partial)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)  # still there only when something above failed


def write_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` atomically."""
    write_atomically(target, lambda path: path.write_text(text))
