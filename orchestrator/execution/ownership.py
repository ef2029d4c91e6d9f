"""Let only one run write in a store: end processes left by a killed run, and this run's own processes at its end."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.leases import revoke_all, this_machine_id
from orchestrator.core.processes import (
    Process,
    end,
    is_numbered_here,
    lives,
    process,
    processes,
    this_process,
    variable,
)
from orchestrator.core.ray_environment import DRIVER
from orchestrator.core.store import Store
from orchestrator.execution.scratch import new_scratch, own_scratch, remove_scratch
from trainers.schema.atomic import write_text

# In the store: which process runs, or was killed while it ran, and its folder of temporary files.
NOTE, SERVICE_NOTE = "run.driver", "queue.driver"
PATIENCE_S = 10.0  # for processes that have been killed to be gone
LOOK_S = 0.02


@contextlib.contextmanager
def single_writer_lock(store: Store) -> Iterator[None]:
    """End the processes of the run before, if it was killed, and at the end of the block those of this one.

    An actor notices the death of its driver late, and that of Ray's head only after a minute: until then it
    would go on writing, beside the actor that takes over its trial. Temporary files go the same way. The caller holds the
    store's lock. Only a local Ray's processes carry a driver's mark; a cluster ends those of a driver that is gone itself.
    """
    revoke_all(store.leases)
    with _driving(store, NOTE):
        yield


def end_killed_runs(store: Store) -> None:
    """End what killed runs have left writing, of this machine and of jobs that shared the store; the caller holds its lock."""
    revoke_all(store.leases)
    for note in _notes(store):
        _succeed(note, this_process().identity)


@contextlib.contextmanager
def one_of_many(store: Store, job: str) -> Iterator[None]:
    """Do the same for a job that shares the store, with a note named after the ``job``.

    It ends the processes of killed jobs on this machine. What is left of others is fenced off by the leases.
    """
    with _driving(store, f"{NOTE}.{job}"):
        yield


@contextlib.contextmanager
def _driving(store: Store, name: str) -> Iterator[None]:
    own = this_process().identity
    for note in _notes(store):
        _succeed(note, own)
    with noted_scratch(store.root / name):
        before = frozenset(found.identity for found in marked(own))  # not started by this run: they may stay
        try:
            yield
        finally:
            end_marked(own, before)
            os.environ.pop(DRIVER, None)  # what a notebook starts after its study is no part of the run


@contextlib.contextmanager
def noted_scratch(note: Path) -> Iterator[None]:
    """Give this process a folder for temporary files, and clean up behind the one that was killed with this ``note``.

    The caller holds the lock that belongs to the note, which names the folder before it is made and until it is deleted.
    """
    own, scratch = this_process().identity, new_scratch()
    _succeed(note, own)
    write_text(note, f"{own}\n{scratch}\n{this_machine_id()}\n")
    try:
        with own_scratch(scratch):
            yield
    finally:
        note.unlink(missing_ok=True)


def _succeed(note: Path, own: str) -> None:
    """Clean up behind the run that has left a note, unless it lives."""
    driver, scratch = _noted(note)
    if driver and driver != own and not lives(driver):
        end_marked(driver, spared=frozenset())
        remove_scratch(scratch)
        note.unlink(missing_ok=True)


def scratch_of_killed(note: Path) -> str:
    """Return the folder of temporary files of the process that was killed with this note, "" where none was."""
    driver, scratch = _noted(note)
    return scratch if driver and not lives(driver) else ""


def scratch_of_killed_runs(store: Store) -> list[str]:
    """Return the folders of temporary files of the runs that were killed in a store on this machine."""
    return list(filter(None, map(scratch_of_killed, _notes(store))))


def _notes(store: Store) -> list[Path]:
    """Return the notes of a run, and of jobs that share the store."""
    return sorted(store.root.glob(f"{NOTE}*"))


def running_driver(store: Store) -> Process | None:
    """Return the process on this machine whose run uses a store, ``None`` where there is none."""
    driver, _ = _noted(store.root / NOTE)
    return process(int(driver.partition("@")[0])) if driver and lives(driver) else None


def _noted(note: Path) -> tuple[str, str]:
    """Return the driver and its folder of temporary files that a note names, "" for one of another machine.

    A note of an earlier release names no machine.
    """
    try:
        lines = note.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return "", ""
    driver, scratch, machine = (*lines, "", "", "")[:3]
    return (driver, scratch) if machine in ("", this_machine_id()) else ("", "")


def end_marked(driver: str, spared: frozenset[str]) -> None:
    """Kill the processes with the mark of ``driver`` and wait until they and their new children are gone."""
    giving_up = time.monotonic() + PATIENCE_S
    killed: set[str] = set()
    while time.monotonic() < giving_up:
        found = {one.identity for one in marked(driver)} - spared
        killed = {identity for identity in killed | found if lives(identity)}  # one that is dying shows no mark
        if not killed:
            return
        for identity in killed:
            end(identity)
        time.sleep(LOOK_S)


def marked(driver: str) -> Iterator[Process]:
    """Yield the processes that carry the mark of ``driver``, and not the driver."""
    yield from (one for one in processes() if one.identity != driver and mark_of(one) == driver)


def mark_of(found: Process) -> str | None:
    """Return the driver whose mark a process carries; ``None`` in another container, where numbers mean other processes."""
    mark = variable(found.pid, DRIVER)
    return mark if mark and is_numbered_here(found.pid) else None
