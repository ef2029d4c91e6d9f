"""Compute a file's SHA-256, and remember it beside the file. Imports nothing heavy."""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from trainers.schema.atomic import write_text
from trainers.schema.user_file import open_file

RECORD = re.compile(r"# size=(\d+) mtime_ns=(\d+)\n([0-9a-f]{64})  .+\n")


class _DigestRecord(NamedTuple):
    size: int
    mtime_ns: int
    digest: str


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def recorded_digest(path: Path, digest: str | None = None) -> str:
    """Return the SHA-256 of a file that is never meant to change, from ``<file>.sha256`` beside it.

    The record is written at the first call, where the folder can be written, from ``digest`` if the caller has just
    computed it. While the file has the size and the time of the record, the recorded digest stands; otherwise the file
    is read again. ``sha256sum --check`` reads the record, too. Raises ``ValueError`` when the file has changed.
    """
    record = _read(_beside(path))
    status = path.stat()
    if record and (status.st_size, status.st_mtime_ns) == record[:2]:
        return record.digest
    digest = digest or file_digest(path)
    if record and record.digest != digest:
        raise ValueError(f"has changed: its SHA-256 was {record.digest} and is {digest}")
    _write(path, _DigestRecord(status.st_size, status.st_mtime_ns, digest))
    return digest


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _read(path: Path) -> _DigestRecord | None:
    try:
        match = RECORD.fullmatch(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return _DigestRecord(int(match[1]), int(match[2]), match[3]) if match else None


def _write(path: Path, record: _DigestRecord) -> None:
    try:
        text = f"# size={record.size} mtime_ns={record.mtime_ns}\n{record.digest}  {path.name}\n"
        write_text(_beside(path), text)
    except OSError:
        return  # a cache that others filled and we only read: the digest is computed again each time
