"""End the command when a process that its own Ray stands on has died: Ray itself would wait for it a minute or longer."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

from orchestrator.core.processes import Process, descendants, process, this_process
from orchestrator.execution.ownership import end_marked

NAMES = ("gcs_server", "raylet")
LOOK_S = 0.5
SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it
log = logging.getLogger(__name__)


@contextlib.contextmanager
def watched_ray() -> Iterator[None]:
    """Watch the Ray that this process has started, for the length of a block; a cluster's is not ours to watch.

    When one of Ray's processes is gone, the others are killed and this process ends with exit code 1, from a thread:
    the main thread may be waiting inside Ray. Trials are on disk, MLflow is caught up with by the next run.
    """
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(ray_processes(), over), name="ray-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ray_processes() -> list[Process]:
    """Return the processes that a Ray of our own stands on; none where there is no such Ray."""
    return [one for one in descendants(os.getpid()) if name_of(one) in NAMES]


def name_of(found: Process) -> str:
    """Return the name of the program that a process runs."""
    return found.title.partition(" ")[0].rpartition("/")[2]


def dead_process(known: list[Process]) -> Process | None:
    """Return one of these processes that is gone, if any is."""
    return next((one for one in known if (now := process(one.pid)) is None or now.identity != one.identity), None)


def missing_process(known: list[Process]) -> str | None:
    """Return the name of a process that a Ray of our own lacks when its watch begins: it died right after its start."""
    names = {name_of(one) for one in known}
    return next((name for name in NAMES if name not in names), None) if known else None


def _watch(known: list[Process], over: threading.Event) -> None:
    if (missing := missing_process(known)) is not None:
        _give_up(missing)
    while not over.wait(LOOK_S):
        gone = dead_process(known)
        if gone is not None:
            _give_up(name_of(gone))


def _give_up(name: str) -> None:
    log.error(
        "stillhouse: a Ray process ended unexpectedly (%s): run again; trials resume from their last states", name
    )
    end_marked(this_process().identity, spared=frozenset())
    if sys.stderr.isatty():
        sys.stderr.write(SHOW_CURSOR)
    sys.stderr.flush()
    os._exit(1)
