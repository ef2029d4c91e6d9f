"""Hold a lock file for one process: the operating system frees it when the process ends, however it ends."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.errors import OperationError


@contextlib.contextmanager
def held_alone(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock at ``path`` inside the block; raise ``OperationError`` with ``refusal`` while another process has it.

    The file stays behind. A file system without locks is an ``OSError``: a soft lock would outlive a killed process.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise OperationError(refusal) from error
    try:
        yield
    finally:
        lock.release()
