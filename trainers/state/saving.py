"""Write tensors to a file of a trial report a full disk as such, and return a description of the written file."""

import hashlib
from pathlib import Path
from typing import IO, Any

import torch

from trainers.schema.atomic import write_atomically
from trainers.schema.manifest import ManifestEntry


class DigestStream:
    """Pass written bytes on to ``stream``, and compute their size and SHA-256 on the way.

    torch's writer turns an error of the disk into one of its own that does not name it; ``failure`` keeps the original.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._hash = stream, hashlib.sha256()
        self.size, self.failure = 0, None  # type: int, OSError | None

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the bytes written so far."""
        return self._hash.hexdigest()

    def write(self, data: Any) -> int:
        """Write all of ``data`` (bytes or anything like them)."""
        try:
            self._stream.write(data)
        except OSError as error:
            self.failure = self.failure or error
            raise
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._stream.flush()


def save_tensors(target: Path, content: dict[str, Any], step: int) -> ManifestEntry:
    """Write a dictionary of tensors and plain data to ``target``, atomically; return the file's entry for a manifest.

    Raises ``OSError`` that names ``target`` when the disk is full; ``target`` is then unchanged.
    """
    written: list[ManifestEntry] = []

    def write(path: Path) -> None:
        with path.open("wb") as file:
            stream = DigestStream(file)
            try:
                torch.save(content, stream)  # type: ignore[arg-type]  # it writes from start to end, and flushes
            except Exception:
                if stream.failure is not None:
                    raise stream.failure from None
                raise
            written.append(ManifestEntry(target.name, step, stream.size, stream.sha256))

    write_atomically(target, write)
    return written[0]
