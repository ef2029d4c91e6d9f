"""Hold a lock file for one process, or for several that share: the operating system frees it when a process ends."""

import contextlib
import errno
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.errors import OperationError

LOCKLESS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP})  # a file system's answers that stay the same
PROBE_S = 1.0  # longer than another command looks whether a lock is held


class NoFileLocks(OperationError):
    """Report that a file system has no locks."""

    def __init__(self, folder: Path, reason: str | None) -> None:
        super().__init__(
            f"{folder} lies on a file system without file locks ({reason}), where nothing keeps two programs "
            "from writing at once: name a folder on another file system"
        )


@contextlib.contextmanager
def held_alone(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock at ``path`` inside the block; raise ``OperationError`` with ``refusal`` while another process has it.

    The file stays behind. Raises ``NoFileLocks`` where the file system has none: a soft lock would outlive a killed process.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise OperationError(refusal) from error
    except OSError as error:
        raise _explained(error, path) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def held_shared(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock at ``path`` beside others that share it; raise ``OperationError`` while one process has it alone.

    Raises ``NoFileLocks`` where the file system has none.
    """
    with path.open("a+") as file:
        giving_up = time.monotonic() + PROBE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > giving_up:
                    raise OperationError(refusal) from error
                time.sleep(0.05)
            except OSError as error:
                raise _explained(error, path) from error
        yield


def is_held(path: Path) -> bool:
    """Return whether a process has the lock at ``path``, alone or with others; raise ``NoFileLocks``."""
    for mode, kind in (("r+", fcntl.LOCK_EX), ("r", fcntl.LOCK_SH)):
        try:
            with path.open(mode) as file:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        except PermissionError:  # a store that is only read: then its shared holders are not seen
            continue
        except OSError as error:
            raise _explained(error, path) from error
    return False


def _explained(error: OSError, path: Path) -> OSError | NoFileLocks:
    return NoFileLocks(path.parent, error.strerror) if error.errno in LOCKLESS else error
