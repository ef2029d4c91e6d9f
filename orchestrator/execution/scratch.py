"""Give a run a folder of its own for temporary files: a killed process cannot delete its own files."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "stillhouse-"
NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")  # as tempfile makes them


@contextlib.contextmanager
def own_scratch() -> Iterator[Path]:
    """Make a folder for the temporary files of this process and of all that it starts, and delete it with them.

    It lies where temporary files lie anyway: its path has to be short, for sockets are made in it. Ray's own files, logs
    among them, stay where they were.
    """
    base = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
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


def remove_scratch(path: str) -> None:
    """Delete a run's folder of temporary files; nothing happens to any other folder."""
    folder = Path(path)
    if NAME.fullmatch(folder.name) and folder.parent == Path(tempfile.gettempdir()) and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
