"""Keep on disk which checkpoint a training process is reading, so that a file that ends its reader has a name."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from trainers.schema.fence import side_folder
from trainers.schema.user_file import read_text

NOTES = "reading-*.txt"  # in a trial's directory, one of each process that is reading
LARGEST = 1 << 16  # bytes of a note
_directories: list[Path] = []


@contextmanager
def noted_in(directories: Sequence[str | Path]) -> Iterator[None]:
    """Keep the notes of this process in trials' directories for the length of a block."""
    _directories[:] = map(Path, directories)
    try:
        yield
    finally:
        _directories.clear()


@contextmanager
def being_read(path: str | Path) -> Iterator[None]:
    """Note that a checkpoint is being read; the note outlives the process only if that dies meanwhile."""
    notes = [side_folder(directory) / f"reading-{socket.gethostname()}-{os.getpid()}.txt" for directory in _directories]
    with suppress(OSError):  # on a full disk the file is read all the same
        for note in notes:
            if note.parent in _directories:  # never a fence: one that is gone must stay gone
                note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(str(path), encoding="utf-8", errors="surrogateescape")
    try:
        yield
    finally:
        for note in notes:
            with suppress(OSError):
                note.unlink()


def take_notes(directory: str | Path, began: float) -> list[str]:
    """Return the checkpoints that processes were reading when they died, of an attempt since ``began``; remove the notes."""
    found = []
    for note in sorted(side_folder(directory).glob(NOTES)):
        with suppress(OSError, ValueError):
            if note.stat().st_mtime >= began:
                found.append(read_text(note, LARGEST))
            note.unlink()
    return list(dict.fromkeys(found))
