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
from collections.abc import Iterator, Sequence
from dataclasses import replace

from orchestrator.commands import reproduce, run
from orchestrator.commands.carry_out import RaisingParser, carry_out, log_plainly
from orchestrator.core.errors import UserError
from orchestrator.core.exit_codes import FAILED, INTERRUPTED, OK
from orchestrator.core.home import require_home
from orchestrator.core.outcome import ExitStatus
from orchestrator.core.store import Store
from orchestrator.core.version import own_version
from orchestrator.execution.interruption import raise_interrupt
from orchestrator.submit.record import JobRecord, JobRecords
from orchestrator.submit.states import SubmissionState

BEAT_S = 5.0
LONGEST_REASON = 500  # characters
COMMANDS = {"run": (run.add_arguments, run.run), "reproduce": (reproduce.add_arguments, reproduce.run)}
STATES = {OK: SubmissionState.FINISHED, INTERRUPTED: SubmissionState.STOPPED}


def drive(argv: Sequence[str]) -> int:
    """Run the study and return the command's exit code; the record says the same, in words."""
    arguments = parser().parse_args(argv)
    record = JobRecord(
        arguments.attempt,
        arguments.study,
        SubmissionState.RUNNING,
        "its driver lives",
        socket.gethostname(),
        time.time(),
    )
    job_records = JobRecords(store_in(arguments.run).root)
    signal.signal(signal.SIGTERM, raise_interrupt)
    log_plainly()
    require_home()
    try:
        job_records.write(record)
    except OSError as error:
        print(f"stillhouse: cannot write to the store {job_records.folder.parent}: {error}", file=sys.stderr)
        return FAILED
    ended = _run(arguments, job_records, record)
    job_records.write(replace(record, state=_state(ended.code), reason=_reason(ended), heard=time.time()))
    return ended.code


def _state(code: int) -> SubmissionState:
    return STATES.get(code, SubmissionState.FAILED)


def _reason(ended: ExitStatus) -> str:
    known = {OK: "all trials have ended", INTERRUPTED: "stopped; trials have saved their states"}
    return known.get(ended.code) or ended.reason[:LONGEST_REASON] or f"exit code {ended.code}"


def _run(arguments: argparse.Namespace, job_records: JobRecords, record: JobRecord) -> ExitStatus:
    with beating(job_records, record):
        try:
            return carry_out(lambda: _command(arguments))
        except KeyboardInterrupt:  # outside of what carry_out covers
            return ExitStatus(INTERRUPTED)


def _command(arguments: argparse.Namespace) -> int | ExitStatus:
    if arguments.client != own_version():
        raise UserError(
            f"the cluster has Stillhouse {own_version()}, the client {arguments.client}: submit with the cluster's version"
        )
    add_arguments, command = COMMANDS[arguments.command]
    parser = RaisingParser(prog=f"stillhouse {arguments.command}")
    add_arguments(parser)
    return command(parser.parse_args(arguments.run))


@contextlib.contextmanager
def beating(job_records: JobRecords, record: JobRecord) -> Iterator[None]:
    """Write a sign of life every few seconds for the length of a block; a storage that is away for a while is no harm."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            with contextlib.suppress(OSError):
                job_records.write(replace(record, heard=time.time()))

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def store_in(run_arguments: Sequence[str]) -> Store:
    """Return the store that the arguments of ``run`` name."""
    store = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    store.add_argument("--store")
    return Store(store.parse_known_args(run_arguments)[0].store)


def parser() -> argparse.ArgumentParser:
    """Return the parser of a submission's arguments."""
    top = argparse.ArgumentParser(prog="orchestrator.commands.job")
    top.add_argument("--attempt", required=True)
    top.add_argument("--study", required=True)
    top.add_argument("--client", required=True, help="the client's version of Stillhouse")
    top.add_argument("--command", choices=COMMANDS, default="run")
    top.add_argument("run", nargs="+")
    return top


if __name__ == "__main__":
    sys.exit(drive(sys.argv[1:]))
