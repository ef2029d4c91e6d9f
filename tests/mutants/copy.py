"""Keep a private copy of the checkout: faults are planted in it, and never in the files that somebody works on."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.faults import Fault


def copied(root: Path, to: Path) -> Path:
    """Copy the files that git knows or would add, with an environment that is linked; return the copy's root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    for file in filter(None, listed.stdout.split("\0")):
        if (root / file).is_file():
            (to / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / file, to / file, follow_symlinks=False)
    if (root / ".venv").exists():
        (to / ".venv").symlink_to(root / ".venv")
    return to


class Mutated:
    """Change one file of a copy at a time, each with a time of its own: Python trusts cached bytecode by it."""

    def __init__(self, copy: Path) -> None:
        self._copy = copy
        self._time = int(time.time())

    @contextmanager
    def planted(self, fault: Fault) -> Iterator[None]:
        """Hold the fault in the copy for the length of a block."""
        path = self._copy / fault.file
        text, status = path.read_bytes(), path.stat()
        self._time += 10
        path.write_text(fault.planted(text.decode()), encoding="utf-8")
        os.utime(path, (self._time, self._time))
        try:
            yield
        finally:
            path.write_bytes(text)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
