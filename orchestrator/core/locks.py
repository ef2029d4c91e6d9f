"""Hold a lock file for one process: the operating system frees it when the process ends, however it ends."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.errors import OperationError

LOCKLESS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP})  # a file system's answers that stay the same


@contextlib.contextmanager
def held_alone(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock at ``path`` inside the block; raise ``OperationError`` with ``refusal`` while another process has it.

    The file stays behind. A file system without locks is refused too: a soft lock would outlive a killed process.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise OperationError(refusal) from error
    except OSError as error:
        if error.errno not in LOCKLESS:
            raise
        raise OperationError(
            f"{path.parent} lies on a file system without file locks ({error.strerror}), where nothing keeps two programs "
            "from writing at once: name a folder on another file system (run, sync, predict: --store DIR)"
        ) from error
    try:
        yield
    finally:
        lock.release()
