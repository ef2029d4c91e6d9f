"""Find processes and half-written files that killed runs left behind, and remove those that are certainly ours."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.locks import NoFileLocks, is_held
from orchestrator.core.processes import Process, lives, processes
from orchestrator.core.store import QUEUE_LOCK, Store
from orchestrator.execution.ownership import SERVICE_NOTE, mark_of, scratch_of_killed, scratch_of_killed_runs
from orchestrator.execution.scratch import remove_scratch

GRACE_S = 1.0  # for a process to end when it is asked to, before it is made to
LEFT_FILES = {
    "trials/*/.*.partial": "was left half-written by a run that ended early",
    "trials/*/stop": "asks for a stop in a run that has ended",
    ".probe-*": "was left half-written by a run that ended early",
}


@dataclass(frozen=True)
class Leak:
    """Hold one thing that outlived its run: a process, or a file."""

    message: str
    process: Process | None = None
    path: Path | None = None
    scratch: str = ""  # a folder of temporary files of a process that was killed


def find_leaks(store: Store) -> list[Leak]:
    """Return the leaks of ended runs; an active run has none."""
    return [*_orphans(), *_half_written(store), *_scratch(store)]


def clean(leaks: list[Leak]) -> None:
    """End the processes and delete the files, each only if it has not changed since it was found."""
    for leak in leaks:
        if leak.path is not None:
            leak.path.unlink(missing_ok=True)
        remove_scratch(leak.scratch)
    found = [leak.process for leak in leaks if leak.process is not None]
    _signal(found, signal.SIGTERM)
    giving_up = time.monotonic() + GRACE_S
    while any(lives(one.identity) for one in found) and time.monotonic() < giving_up:
        time.sleep(0.05)
    _signal(found, signal.SIGKILL)


def _orphans() -> Iterator[Leak]:
    """Yield processes that carry the mark of a driver that has ended; every process of a local Ray inherits its driver's."""
    for found in processes():
        mark = mark_of(found) if found.pid != os.getpid() else None
        if mark and mark != found.identity and not lives(mark):
            yield Leak(f"process {found.pid} ({found.title[:60]}) outlived its run (process {mark})", process=found)


def _half_written(store: Store) -> Iterator[Leak]:
    """Yield files that a run would have finished or removed; none while one uses the store."""
    if store.is_in_use():
        return
    for pattern, state in LEFT_FILES.items():
        for path in sorted(store.root.glob(pattern)):
            yield Leak(f"file {path} {state}", path=path)


def _scratch(store: Store) -> Iterator[Leak]:
    """Yield the temporary files of runs and of a service that were killed in the store; none while another uses it."""
    runs = [] if store.is_in_use() else scratch_of_killed_runs(store)
    service = [] if _is_held(store.root / QUEUE_LOCK) else [scratch_of_killed(store.root / SERVICE_NOTE)]
    for what, found in (("run", runs), ("service", service)):
        for scratch in found:
            if scratch and Path(scratch).is_dir():
                yield Leak(f"folder {scratch} holds temporary files of a {what} that was killed", scratch=scratch)


def _is_held(lock: Path) -> bool:
    """Return whether a process holds a lock file; where there are no locks, nothing that needs one runs."""
    try:
        return is_held(lock)
    except (OSError, NoFileLocks):
        return False


def _signal(found: list[Process], number: int) -> None:
    for one in found:
        if not lives(one.identity):
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(one.pid, number)
