"""Give a run a folder of its own for temporary files: a killed process cannot delete its own files."""

import contextlib
import logging
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.errors import UserError

PREFIX = "stillhouse-"
SHORT = "/tmp"
SOCKET = (
    "/ray/session_2026-11-29_21-36-41_349504_4194304/sockets/plasma_store"  # of Ray, with the largest process number
)
LONGEST_BASE = 107 - len(SOCKET)  # bytes; Linux takes 107 for the path of a socket
log = logging.getLogger(__name__)
NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")  # as tempfile makes them


def new_scratch() -> Path:
    """Return the path of a folder for temporary files, which is not there yet: a note has to name it before it is.

    It lies where temporary files lie anyway, unless that path is too long for sockets.
    """
    base = Path(socket_base())
    while (folder := base / f"{PREFIX}{uuid.uuid4().hex[:8]}").exists():
        pass
    return folder


@contextlib.contextmanager
def own_scratch(folder: Path | None = None) -> Iterator[Path]:
    """Make a folder for the temporary files of this process and of all that it starts, and delete it with them.

    ``folder`` is one of ``new_scratch``. Ray's own files, logs among them, lie beside it.
    """
    folder = folder or new_scratch()
    base = str(folder.parent)
    folder.mkdir(mode=0o700)
    before = {name: os.environ.get(name) for name in ("TMPDIR", "RAY_TMPDIR")}
    os.environ["TMPDIR"] = str(folder)
    os.environ.setdefault("RAY_TMPDIR", base)
    tempfile.tempdir = None  # to be looked up again
    try:
        yield folder
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        tempfile.tempdir = None
        remove_scratch(str(folder))


def socket_base() -> str:
    """Return the folder of temporary files, or ``/tmp`` where its path leaves too little of a socket's for Ray.

    Raises ``UserError`` where ``RAY_TMPDIR`` is too long, or where neither serves.
    """
    given, usual = os.environ.get("RAY_TMPDIR"), tempfile.gettempdir()
    if given and _is_too_long(given):
        raise UserError(f"RAY_TMPDIR={given} is too long for the paths of sockets: at most {LONGEST_BASE} bytes")
    if not _is_too_long(usual):
        return usual
    if not os.access(SHORT, os.W_OK | os.X_OK):
        raise UserError(
            f"the folder of temporary files {usual} is too long for the paths of sockets and {SHORT} cannot be written: set "
            f"TMPDIR and RAY_TMPDIR to a folder of at most {LONGEST_BASE} bytes"
        )
    log.warning("%s is too long for the paths of sockets: temporary files go to %s", usual, SHORT)
    return SHORT


def _is_too_long(folder: str) -> bool:
    return len(os.fsencode(folder)) > LONGEST_BASE


def remove_scratch(path: str) -> None:
    """Delete a run's folder of temporary files; nothing happens to any other folder."""
    folder = Path(path)
    if (
        NAME.fullmatch(folder.name)
        and folder.parent in (Path(tempfile.gettempdir()), Path(SHORT))
        and not folder.is_symlink()
    ):
        shutil.rmtree(folder, ignore_errors=True)
