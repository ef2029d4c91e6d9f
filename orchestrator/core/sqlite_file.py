"""Connect to SQLite files, and to nothing else that their names may mean: SQLite would wait for a pipe for ever."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.errors import OperationError
from trainers.schema.user_file import no_regular_file


def require_file(path: Path) -> None:
    """Raise ``OperationError`` where a pipe, a device, a folder or a file of the kernel is in the place of a database."""
    if instead := no_regular_file(path):
        raise OperationError(f"the database {path} {instead}: name another one")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that writes nothing, not even the file; raises ``OperationError`` as ``require_file`` does."""
    require_file(path)
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


@contextlib.contextmanager
def writing(path: Path, wait_s: float) -> Iterator[sqlite3.Connection]:
    """Yield a connection that begins no transaction by itself, and waits ``wait_s`` seconds for those of others.

    Creates the file where there is none. Raises ``OperationError`` as ``require_file`` does.
    """
    require_file(path)
    with contextlib.closing(sqlite3.connect(path, timeout=wait_s, isolation_level=None)) as connection:
        yield connection
