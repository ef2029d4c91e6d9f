"""Digest files while they are read, and notice by their sizes and times when they have changed since."""

import hashlib
import os
from collections.abc import Iterable
from typing import NamedTuple

from trainers.schema.user_file import LARGEST_LABELS, read_with_status


class FilesDigest(NamedTuple):
    """Hold a digest of files in their order, and one of the state that they had when they were read."""

    digest: str
    state: str


class DigestingReader:
    """Read files one after the other; keeps 32 bytes and a state of each, and no content."""

    def __init__(self) -> None:
        self.files = 0
        self._digests, self._states = bytearray(), bytearray()

    def read(self, path: str) -> bytes:
        """Return a file's content; raises ``OSError``."""
        content, status = read_with_status(path, LARGEST_LABELS)
        self._digests += hashlib.sha256(content).digest()
        self._states += _state(status)
        self.files += 1
        return content

    def seen(self, beginning: bytes) -> FilesDigest:
        """Return the read content after ``beginning``."""
        return FilesDigest(_digest(beginning, self._digests), _digest(beginning, self._states))


def state_of(beginning: bytes, paths: Iterable[str]) -> str:
    """Return the present state of files, as ``seen`` gives it; raises ``OSError`` where one is missing."""
    return _digest(beginning, b"".join(_state(os.stat(path)) for path in paths))  # noqa: PTH116  as above


def _state(status: os.stat_result) -> bytes:
    return b"%d %d %d\n" % (status.st_size, status.st_mtime_ns, status.st_ino)


def _digest(beginning: bytes, rest: bytes | bytearray) -> str:
    total = hashlib.sha256(beginning)
    total.update(rest)
    return total.hexdigest()
