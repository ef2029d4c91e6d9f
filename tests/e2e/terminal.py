"""Run the command in a pseudo-terminal of a given width, and read back what it shows."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from dataclasses import dataclass

from tests.e2e.stillhouse import COMMAND, ROOT

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HEIGHT = 40
DECIDING = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")  # a developer's own settings would decide the tests


@dataclass(frozen=True)
class Shown:
    """Hold what a terminal received, escape sequences included."""

    code: int
    raw: str

    @property
    def lines(self) -> list[str]:
        """Return the lines as a reader sees them."""
        return [ESCAPE.sub("", line).rsplit("\r", 1)[-1] for line in self.raw.replace("\r\n", "\n").split("\n")]


def in_terminal(width: int, *arguments: object, **variables: str) -> Shown:
    """Run one command to its end in a terminal of ``width`` columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, width, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in DECIDING}
    environment = {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **variables}
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    raw = b"".join(iter(lambda: _read(master), b""))
    os.close(master)
    return Shown(process.wait(), raw.decode())


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:  # the last process has closed its side
        return b""
