"""Inspect this machine's processes through /proc."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """Hold one process as /proc describes it; ``started`` is in clock ticks since the machine's start.

    A process number is used again some day: number and start together are one process, for ever.
    """

    pid: int
    parent: int
    started: int
    title: str

    @property
    def identity(self) -> str:
        """Return an identity that no other process on this machine has had since it booted."""
        return f"{self.pid}@{self.started}"


def processes() -> Iterator[Process]:
    """Yield the processes that are there and no zombies."""
    for path in PROC.iterdir():
        if path.name.isdigit() and (found := process(int(path.name))) is not None:
            yield found


def process(pid: int) -> Process | None:
    """Return the process ``pid``, ``None`` when there is none or only a zombie."""
    try:
        name, _, rest = (PROC / str(pid) / "stat").read_text().rpartition(")")
        title = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:  # it has just ended
        return None
    fields = rest.split()  # from the third on, see proc(5): state, parent, ...
    if fields[0] in "ZX":
        return None
    return Process(pid, int(fields[1]), int(fields[19]), title or name.partition("(")[2])


def this_process() -> Process:
    """Return the process that asks."""
    found = process(os.getpid())
    assert found is not None
    return found


def descendants(pid: int) -> list[Process]:
    """Return the processes that ``pid`` started, and those that they started."""
    everyone = list(processes())
    family = {pid}
    for _ in everyone:
        grown = family | {one.pid for one in everyone if one.parent in family}
        if grown == family:
            break
        family = grown
    return [one for one in everyone if one.pid in family - {pid}]


def lives(identity: str) -> bool:
    """Tell whether the process of this identity is there; a zombie is not, nor one that has its number by now."""
    return of_identity(identity) is not None


def of_identity(identity: str) -> Process | None:
    """Return the process of this identity, ``None`` when it has ended, and for a text that is no identity."""
    pid = identity.partition("@")[0]
    found = process(int(pid)) if pid.isdigit() else None
    return found if found is not None and found.identity == identity else None


def end(identity: str) -> None:
    """Kill the process of this identity at once; nothing happens to another one that has its number by now."""
    found = of_identity(identity)
    if found is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)


def is_numbered_here(pid: int) -> bool:
    """Return whether a process sees others by the numbers that this process sees; one in a container of its own does not."""
    return _numbering(pid) == _numbering(os.getpid())


def _numbering(pid: int) -> str | None:
    try:
        return str((PROC / str(pid) / "ns" / "pid").readlink())
    except OSError:
        return None


def variable(pid: int, name: str) -> str | None:
    """Return an environment variable that a process was started with; ``None`` also where that may not be seen."""
    try:
        entries = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = f"{name}=".encode()
    return next((entry[len(prefix) :].decode(errors="replace") for entry in entries if entry.startswith(prefix)), None)
