"""Claim things in a shared folder without file locks: at any moment one process holds a lease, and others notice when it is gone.

A lease is a folder with one child at all times, named ``NUMBER.TOKEN``: ``TOKEN`` is the holder's, or ``free``. Claiming,
taking over and releasing rename that child to the next number. The source of a rename exists once, so one of several
claimants wins. Inside, the holder rewrites a counter. An observer that has seen no change for the holder's time-out, by its
own monotonic clock, takes the lease over; clocks of two machines are never compared. The holder's own folder inside is the
fence of all that it writes (``trainers.schema.fence``): a takeover takes it away.
"""

import json
import logging
import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType

from orchestrator.core.errors import UserError
from orchestrator.core.processes import lives, this_process
from trainers.schema.foreign_json import parse_json

VARIABLE = "STILLHOUSE_LEASE_TIMEOUT"  # seconds
TIMEOUT_S, SHORTEST_S = 120.0, 5.0  # the default exceeds what network file systems cache (60 s)
BEATS = 12  # in one time-out
LOOK_EVERY_S = 0.5
FREE = "free"
RUN = "run"  # the lease of the whole store, where its file system has no locks
JOB = "job-"  # before the token of a job that shares the store: its own lease, which nobody else claims
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """Name the process that holds a lease, and after how many silent seconds it may be taken over."""

    host: str
    process: str
    machine: str
    timeout_s: float

    def __str__(self) -> str:
        return f"{self.host} (process {self.process.partition('@')[0]})"

    @property
    def is_here(self) -> bool:
        """Return whether the process is, or was, one of this machine's, so that its end can be seen."""
        return self.machine == this_machine_id()

    @property
    def is_dead(self) -> bool:
        """Return whether the process has certainly ended; that of another machine is only known by its silence."""
        return self.is_here and not lives(self.process)


@dataclass
class _Silence:
    content: tuple[str, str]
    looked: float
    seconds: float = 0.0


class Leases:
    """Hold leases of one folder for this process, and observe those of others; safe to use from several threads.

    Inside ``with`` a thread keeps the held ones alive; leaving it releases them all. Nothing here removes a lease.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float] = time.monotonic, timeout_s: float | None = None
    ) -> None:
        self.folder, self.token = folder, uuid.uuid4().hex[:12]
        self.timeout_s = timeout_of_environment() if timeout_s is None else timeout_s
        self._clock = clock
        self._held: dict[str, Path] = {}
        self._beats = 0
        self._silences: dict[str, _Silence] = {}
        self._mutex = threading.RLock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    def __enter__(self) -> "Leases":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        for name in list(self._held):
            self.release(name)

    def claim(self, name: str) -> Path | None:
        """Return the fence of a lease that this process holds from now on; ``None`` while somebody else does.

        One whose holder has ended or fallen silent is taken over.
        """
        with self._mutex:
            child = self._child(name) or self._made(name)
            if child is None or not (_owner(child) == FREE or self._is_silent(name, child)):
                return None
            mine = self.folder / name / f"{_number(child) + 1}.{self.token}"
            if not _renamed(self.folder / name / child, mine):
                return None
            try:
                fence = self._moved_in(mine)
            except FileNotFoundError:  # this process was stopped in the middle, and the lease was taken over
                return None
            except OSError:  # a full disk
                _renamed(mine, mine.with_name(f"{_number(mine.name) + 1}.{FREE}"))
                raise
            self._held[name] = mine
            return fence

    def release(self, name: str) -> bool:
        """Give a lease back; return ``False`` where another process has taken it over."""
        with self._mutex:
            mine = self._held.pop(name, None)
        return mine is not None and _renamed(mine, mine.with_name(f"{_number(mine.name) + 1}.{FREE}"))

    def holds(self, name: str) -> bool:
        """Return whether this process has the lease still."""
        mine = self._held.get(name)
        return mine is not None and mine.is_dir()

    def number(self, name: str) -> int:
        """Return how often the lease has changed hands."""
        child = self._child(name)
        return _number(child) if child else 0

    def is_free(self, name: str) -> bool:
        """Return whether nobody holds the lease, or its holder has ended or fallen silent."""
        child = self._child(name)
        return child is None or _owner(child) == FREE or self._is_silent(name, child)

    def is_abandoned(self, name: str) -> bool:
        """Return whether the lease has a holder that has ended or fallen silent."""
        child = self._child(name)
        return child is not None and _owner(child) != FREE and self._is_silent(name, child)

    def is_alive(self, name: str) -> bool:
        """Return whether a lease has a holder that lives; of another machine's, wait for a sign of life."""
        first = self._sign(name)
        while not self.is_free(name):
            holder = self.holder(name)
            if (holder and holder.is_here) or self._sign(name) != first:
                return True
            time.sleep(LOOK_EVERY_S)
        return False

    def jobs(self) -> list[str]:
        """Return the leases of all other jobs that share the store, or that did and were killed."""
        own = f"{JOB}{self.token}"
        return sorted(path.name for path in self.folder.glob(f"{JOB}*") if path.name != own)

    def holder(self, name: str) -> Holder | None:
        """Return who holds the lease, ``None`` where nobody does, or where that is not said yet."""
        child = self._child(name)
        return _holder(self.folder / name / child) if child and _owner(child) != FREE else None

    @contextmanager
    def held(self, name: str, waiting: str) -> Iterator[None]:
        """Wait for a lease, and hold it for the length of a block; a long wait is told once, as ``waiting``."""
        began, said = time.monotonic(), False
        while self.claim(name) is None:
            if not said and time.monotonic() - began > self.timeout_s / BEATS:
                log.info("%s, which %s does now", waiting, self.holder(name) or "another job")
                said = True
            time.sleep(LOOK_EVERY_S)
        try:
            yield
        finally:
            self.release(name)

    def beat(self) -> None:
        """Give a sign of life in every held lease."""
        self._beats += 1
        for name, mine in list(self._held.items()):
            try:
                (mine / f"{self.token}.beat").write_text(str(self._beats))
            except FileNotFoundError:
                log.debug("lease %s was taken over", name)
            except OSError as error:  # a full disk, a network that is away: the next beat may arrive
                log.debug("no sign of life in lease %s: %s", name, error)

    def _keep(self) -> None:
        while not self._over.wait(self.timeout_s / BEATS):
            self.beat()

    def _child(self, name: str) -> str | None:
        return _child_of(self.folder / name)

    def _sign(self, name: str) -> tuple[str | None, str]:
        child = self._child(name)
        return child, _beat(self.folder / name / child) if child else ""

    def _made(self, name: str) -> str | None:
        """Make a free lease of which nobody ever sees a part."""
        if (self.folder / name).exists():
            return None  # its one child is on its way to another name
        prepared = self.folder / f".new-{self.token}-{name}"
        (prepared / f"0.{FREE}").mkdir(parents=True, exist_ok=True)
        if not _renamed(prepared, self.folder / name):
            shutil.rmtree(prepared, ignore_errors=True)
        return self._child(name)

    def _moved_in(self, mine: Path) -> Path:
        """Remove all of earlier holders, introduce this one, and return its fence."""
        fence = mine / self.token
        fence.mkdir(exist_ok=True)
        for entry in list(mine.iterdir()):
            if entry.name.partition(".")[0] != self.token:
                _destroy(entry)
        own = Holder(socket.gethostname(), this_process().identity, this_machine_id(), self.timeout_s)
        (mine / f"{self.token}.beat").write_text(str(self._beats))
        (mine / f"{self.token}.json").write_text(json.dumps(asdict(own)))
        return fence

    def _is_silent(self, name: str, child: str) -> bool:
        """Return whether the holder has ended, or has given no sign of life for its time-out.

        Only time in which this process looked counts: after it was stopped itself, both sides get their time again.
        """
        holder = _holder(self.folder / name / child)
        if holder is not None and holder.is_dead:
            return True
        content, now = (child, _beat(self.folder / name / child)), self._clock()
        timeout_s = holder.timeout_s if holder else TIMEOUT_S
        with self._mutex:
            seen = self._silences.get(name)
            if seen is None or seen.content != content:
                self._silences[name] = _Silence(content, now)
                return False
            seen.seconds, seen.looked = seen.seconds + min(now - seen.looked, timeout_s / 4), now
            return seen.seconds >= timeout_s


def revoke_all(folder: Path) -> None:
    """Take every lease of a folder from its holder: for one process that has the whole store to itself.

    Processes that a killed holder left behind can write no more. Leases of jobs, which have names of their own, are removed.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name == RUN:
            continue
        child = _child_of(path)
        if child is not None and _owner(child) != FREE:
            _renamed(path / child, path / f"{_number(child) + 1}.{FREE}")
        if path.name.startswith((JOB, ".new-")):
            shutil.rmtree(path, ignore_errors=True)


@cache
def this_machine_id() -> str:
    """Return a text that is equal for processes that can see each other in /proc: one boot of one machine, one namespace."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def timeout_of_environment() -> float:
    """Return after how many silent seconds the leases of this process may be taken over; raise ``UserError``."""
    text = os.environ.get(VARIABLE, "")
    try:
        seconds = float(text or TIMEOUT_S)
    except ValueError:
        seconds = 0.0
    if not SHORTEST_S <= seconds < float("inf"):
        raise UserError(f"{VARIABLE}={text}: give a number of seconds, at least {SHORTEST_S:g}")
    return seconds


def _renamed(source: Path, target: Path) -> bool:
    """Rename a folder; a network file system may report an error for a rename that it has carried out."""
    try:
        source.rename(target)
    except OSError:
        return target.is_dir() and not source.exists() and not target.name.endswith(f".{FREE}")
    return True


def _destroy(entry: Path) -> None:
    """Remove a file, or a folder until it is gone: a process on another machine may still know it by its old path."""
    while entry.exists():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _child_of(lease: Path) -> str | None:
    """Return a lease's present child; a listing that races with a rename may show two, or none."""
    try:
        names = [entry.name for entry in lease.iterdir() if entry.name.partition(".")[0].isdigit()]
    except FileNotFoundError:
        return None
    return max(names, key=_number, default=None)


def _holder(child: Path) -> Holder | None:
    try:
        return Holder(**parse_json((child / f"{_owner(child.name)}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _beat(child: Path) -> str:
    try:
        return (child / f"{_owner(child.name)}.beat").read_text()
    except OSError:
        return ""


def _number(child: str) -> int:
    return int(child.partition(".")[0])


def _owner(child: str) -> str:
    return child.partition(".")[2]
