"""Run a study inside a Ray job and keep the submission's record: this is the driver that a submission starts.

Used as ``python -m orchestrator.commands.job --attempt ID ... -- STUDY [options of run]``, or with ``--command reproduce`` and
its targets and options.
"""

import argparse
import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TextIO

from orchestrator.cli import main
from orchestrator.core.exit_codes import FAILED, INTERRUPTED, OK, WRONG_INPUT
from orchestrator.core.store import Store
from orchestrator.core.version import own_version
from orchestrator.execution.interruption import raise_interrupt
from orchestrator.submit.record import JobRecord, Ledger
from orchestrator.submit.states import State

BEAT_S = 5.0
COMMANDS = ("run", "reproduce")
STATES = {OK: State.FINISHED, INTERRUPTED: State.STOPPED}


def drive(argv: Sequence[str]) -> int:
    """Run the study and return the command's exit code; the record says the same, in words."""
    arguments = parser().parse_args(argv)
    record = JobRecord(
        arguments.attempt, arguments.study, State.RUNNING, "its driver lives", socket.gethostname(), time.time()
    )
    ledger = Ledger(store_in(arguments.run).root)
    signal.signal(signal.SIGTERM, raise_interrupt)
    with remembered_stderr() as last_line:
        try:
            ledger.write(record)
        except OSError as error:
            print(f"stillhouse: cannot write to the store {ledger.folder.parent}: {error}", file=sys.stderr)
            return FAILED
        code = _run(arguments, ledger, record)
        reason = {OK: "all trials have ended", INTERRUPTED: "stopped; trials have saved their states"}
        said = reason.get(code) or last_line() or f"exit code {code}"
        ledger.write(replace(record, state=STATES.get(code, State.FAILED), reason=said, heard=time.time()))
    return code


def _run(arguments: argparse.Namespace, ledger: Ledger, record: JobRecord) -> int:
    if arguments.client != own_version():
        print(
            f"stillhouse: the cluster has Stillhouse {own_version()}, the client {arguments.client}: "
            "submit with the cluster's version",
            file=sys.stderr,
        )
        return WRONG_INPUT
    with beating(ledger, record):
        try:
            return main([arguments.command, *arguments.run])
        except KeyboardInterrupt:  # before anything handles it
            return INTERRUPTED
        except SystemExit as ended:  # argparse; anything else that happens is not ours to call an end
            return int(ended.code or 0)


@contextlib.contextmanager
def beating(ledger: Ledger, record: JobRecord) -> Iterator[None]:
    """Write a sign of life every few seconds for the length of a block; a storage that is away for a while is no harm."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            with contextlib.suppress(OSError):
                ledger.write(replace(record, heard=time.time()))

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Remembering:
    """Pass a stream on and remember the last line that said something."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._part, self.last = stream, "", ""

    def write(self, text: str) -> int:
        """Write and remember."""
        *lines, self._part = (self._part + text).split("\n")
        self.last = next((line.strip() for line in reversed(lines) if line.strip()), self.last)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextlib.contextmanager
def remembered_stderr() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the last line on stderr, which says why a command failed."""
    before = sys.stderr
    remembering = Remembering(before)
    sys.stderr = remembering
    try:
        yield lambda: remembering.last.removeprefix("stillhouse: ")[:500]
    finally:
        sys.stderr = before


def store_in(run_arguments: Sequence[str]) -> Store:
    """Return the store that the arguments of ``run`` name."""
    store = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    store.add_argument("--store")
    return Store(store.parse_known_args(run_arguments)[0].store)


def parser() -> argparse.ArgumentParser:
    """Return the parser of what a submission passes on."""
    top = argparse.ArgumentParser(prog="orchestrator.commands.job")
    top.add_argument("--attempt", required=True)
    top.add_argument("--study", required=True)
    top.add_argument("--client", required=True, help="the client's version of Stillhouse")
    top.add_argument("--command", choices=COMMANDS, default=COMMANDS[0])
    top.add_argument("run", nargs="+")
    return top


if __name__ == "__main__":
    sys.exit(drive(sys.argv[1:]))
