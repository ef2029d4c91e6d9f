"""End a training process that makes no progress, and leave behind where each of its threads stood."""

import faulthandler
import time
from pathlib import Path
from typing import IO

RENEW_EVERY_S = 1.0  # renewing starts a thread; once a second it costs nothing


class Watchdog:
    """Watch this process while it trains: without a sign of life for ``timeout_s`` it writes its stacks and exits.

    The watch is Python's ``faulthandler``: a thread of C code that needs no lock of the interpreter, so that it also
    ends a process that hangs in a library which holds it. The parent process sees it die and restarts it.
    ``timeout_s=None`` watches nothing.
    """

    def __init__(self, stacks: Path, timeout_s: float | None) -> None:
        self._path, self._timeout_s = stacks, timeout_s
        self._file: IO[str] | None = None
        self._renewed = 0.0

    def alive(self) -> None:
        """Report progress, and start watching at the first call."""
        now = time.monotonic()
        if self._timeout_s is None or (self._file is not None and now - self._renewed < RENEW_EVERY_S):
            return
        self._renewed = now
        if self._file is None:
            self._path.parent.mkdir(exist_ok=True)  # never its parents: a fence that is gone must stay gone
            self._file = self._path.open("w")
        faulthandler.dump_traceback_later(self._timeout_s, exit=True, file=self._file)

    def rest(self) -> None:
        """Stop watching: the following work has no time limit. An empty file is removed."""
        if self._file is None:
            return
        faulthandler.cancel_dump_traceback_later()
        self._file.close()
        self._file = None
        self._path.unlink(missing_ok=True)
