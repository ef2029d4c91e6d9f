"""Connect to SQLite files, and to nothing else that their names may mean: SQLite would wait for a pipe for ever."""

import contextlib
import os
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
    """Yield a connection that writes nothing, not even the file; raises ``OperationError`` as ``require_file`` does.

    What a killed process has left half done is undone before, and an ``OperationError`` where that cannot be.
    """
    require_file(path)
    _undo_half_done(path)
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


def _undo_half_done(path: Path) -> None:
    """Let SQLite put back what a transaction had changed whose process was killed: it does so for those who may write.

    Where the journal is a living process's, SQLite leaves it alone.
    """
    if not os.path.lexists(f"{os.path.realpath(path)}-journal"):
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("pragma schema_version")  # the first look at a page is what brings them back
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise
        raise OperationError(
            f"a process was killed while it changed the database {path}, and that cannot be undone here ({error}): "
            "run the command once where the file and its folder can be written"
        ) from error
