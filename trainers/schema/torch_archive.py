"""Open a torch checkpoint of either format for reading as data, with limits that hold before anything is read.

Imports nothing heavy.
"""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, NamedTuple, cast

from trainers.schema.pickle_stream import PickleStream
from trainers.schema.pickled_objects import RefusedPickle
from trainers.schema.user_file import open_file

MAX_PICKLE = 256 << 20  # bytes; a training log of a million numbers takes 20 MiB
MAX_INDEX = 4 << 20  # bytes of an archive's index, which takes eight times as many in memory: 40,000 storages
BUFFER = 1 << 16
FIRST = 256  # bytes by which text is recognised
ARCHIVE = b"PK\x03\x04"  # begins a zip archive
LFS_POINTER = b"version https://git-lfs"
HTML = (b"<!doctype html", b"<html")
DAMAGE = (  # errors of the readers of archives and pickles about a file's contents
    OSError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RuntimeError, EOFError, MemoryError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class NoCheckpoint(RefusedPickle):
    """Report a file that is plainly no whole checkpoint; the message is a phrase that follows the file's name."""


def fault_of(first: bytes) -> str | None:
    """Return why a file that begins with ``first``, and is no whole archive, is no checkpoint; ``None`` for old pickles."""
    if not first:
        return "is empty"
    if first.startswith(ARCHIVE):
        return "is cut short: the list of contents at its end is missing; copy it again"
    return text_instead(first)


def text_instead(first: bytes) -> str | None:
    """Return the phrase that names the kind of text that begins with ``first``, ``None`` for all but those saved for checkpoints."""
    begin = first.lstrip().lower()
    if begin.startswith(LFS_POINTER):
        return "is a Git LFS pointer, not a checkpoint: fetch the file itself with git lfs pull"
    if begin.startswith(HTML):
        return "is an HTML page, not a checkpoint: download the file itself"
    return None


class TorchFile(NamedTuple):
    """Hold an open checkpoint: ``archive`` in torch's format since 1.6, ``None`` for the one before."""

    file: BufferedReader
    size: int
    archive: zipfile.ZipFile | None


@contextmanager
def open_torch_file(path: Path) -> Iterator[TorchFile]:
    """Open a checkpoint; raises ``OSError``, ``BadZipFile`` or ``RefusedPickle``."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not zipfile.is_zipfile(file):
            file.seek(0)
            if fault := fault_of(file.read(FIRST)):
                raise NoCheckpoint(fault)
            file.seek(0)
            yield TorchFile(file, size, None)
            return
        with zipfile.ZipFile(cast("IO[bytes]", _Limited(file))) as archive:
            _require_stored(archive, size)
            yield TorchFile(file, size, archive)


@contextmanager
def pickle_of(archive: zipfile.ZipFile) -> Iterator[tuple[str, PickleStream]]:
    """Open the one pickle of torch's in an archive; yields the folder that it lies in, with a slash, and its stream."""
    names = [record for record in archive.infolist() if record.filename.endswith("/data.pkl")]
    names = [record for record in names if record.filename.count("/") == 1]
    if len(names) != 1 or names[0].file_size > MAX_PICKLE:
        raise RefusedPickle("the archive holds no pickle of torch's")
    with archive.open(names[0]) as record:
        stream = io.BufferedReader(cast("io.RawIOBase", record), BUFFER)
        yield names[0].filename.removesuffix("data.pkl"), PickleStream(stream, names[0].file_size)
        while stream.read(BUFFER):  # to the end, where its checksum is compared
            pass


def legacy_pickles(found: TorchFile) -> PickleStream:
    """Return the stream of the pickles that a checkpoint of torch's format before 1.6 begins with."""
    return PickleStream(found.file, found.size)


class _Limited:
    """Serve an archive's file to ``zipfile``, which reads the whole index, of any size, by one call."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(MAX_INDEX + 1 if size < 0 else min(size, MAX_INDEX + 1))
        if len(found) > MAX_INDEX:
            raise RefusedPickle("its index is too long")
        return found


def _require_stored(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive that unpacks to more than its own size, which torch's never do."""
    records = archive.infolist()
    compressed = any(record.compress_type != zipfile.ZIP_STORED for record in records)
    if compressed or sum(record.file_size for record in records) > size:
        raise RefusedPickle("its records are compressed, or overlap")
