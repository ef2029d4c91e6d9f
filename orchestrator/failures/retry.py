"""Decide whether a failed trial gets another attempt or ends."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.redact import redacted
from orchestrator.failures.kinds import RULES, UNIMPORTABLE, Action, FailureKind, classify, root_cause
from trainers.schema import Job
from trainers.schema.being_read import take_notes
from trainers.schema.error_text import first_line, last_line
from trainers.schema.events import Event, append_event, read_events
from trainers.schema.fence import side_folder

SAYINGS = {
    FailureKind.WORKER_LOST: "a worker process ended unexpectedly (killed, out of memory, or crashed)",
    FailureKind.PREEMPTED: "the machine of a worker was taken away",
    FailureKind.HANG: "no step for scaling.hang_timeout_s seconds; where each thread stood is in hang-*.txt",
}
STACKS = "stacks-*.txt"  # what a process that hung has left in the trial's directory


@dataclass(frozen=True)
class RetryDecision:
    """Hold the kind of a failure, whether the trial is started again, and the sentence for the user."""

    kind: FailureKind
    again: bool
    reason: str
    pause_s: float = 0.0


def judge(job: Job, error: BaseException, run: str, began: float = 0.0) -> RetryDecision:
    """Return the decision about the trial, and record it on its timeline.

    ``run`` is the run whose budgets count; ``began`` (seconds since 1970) is when the attempt began: stacks that are
    younger say that it hung.
    """
    events = read_events(job.directory)
    kind = hung(job.directory, began) or classify(error)
    sentence = redacted(_sentence(kind, root_cause(error)))
    rule, used = RULES[kind], spent(events, run, kind)
    again = used < rule.budget
    if kind is FailureKind.WORKER_LOST and (read := take_notes(job.directory, began)):
        sentence = f"{sentence} {(reading := redacted(f'while it read {read[0]}'))}"
        if any(event.kind == kind and event.run == run and event.detail.endswith(reading) for event in events):
            again, sentence = False, f"{sentence}, as another did before: the file is damaged, or made to do that"
    details: dict[str, int] = {}
    if kind is FailureKind.OUT_OF_MEMORY:
        again, details = _halved(job, events)
    action = rule.action if again else Action.STOP
    note = f"{sentence}; micro-batch {details['micro_batch']}, same global batch" if details else sentence
    attempt = 1 + sum(event.run == run for event in events)
    if kind is FailureKind.HANG:
        keep_stacks(job.directory, attempt)
    with contextlib.suppress(OSError):  # on a full disk the verdict stands all the same
        append_event(job.directory, Event(kind, action, note, attempt, run, details))
    reason = sentence if rule.budget == 0 else f"{kind} {used + 1} times, the last time: {sentence}"
    return RetryDecision(kind, again, reason, rule.pause_s)


def spent(events: list[Event], run: str, kind: FailureKind) -> int:
    """Return how many failures of ``kind`` the trial has had in ``run``."""
    return sum(event.kind == kind and event.run == run for event in events)


def hung(directory: str | Path, began: float) -> FailureKind | None:
    """Return ``FailureKind.HANG`` when a process of this attempt ended itself because it made no progress."""
    stacks = (path.stat() for path in side_folder(directory).glob(STACKS))
    return FailureKind.HANG if any(found.st_size and found.st_mtime >= began for found in stacks) else None


def keep_stacks(directory: str | Path, attempt: int) -> None:
    """Rename stacks to ``hang-ATTEMPT-RANK.txt``, because the next attempt would overwrite them."""
    for path in side_folder(directory).glob(STACKS):
        path.replace(Path(directory) / path.name.replace("stacks", f"hang-{attempt}"))


def micro_batch_of(job: Job) -> int | None:
    """Return the micro-batch that the trial's timeline has come to, ``None`` before it ever ran out of memory."""
    found = [event.details["micro_batch"] for event in read_events(job.directory) if "micro_batch" in event.details]
    return found[-1] if found else job.placement.micro_batch


def _halved(job: Job, events: list[Event]) -> tuple[bool, dict[str, int]]:
    """Return whether a smaller micro-batch is possible, and its size."""
    share = job.trial.schedule.batch_size // (job.trial.shares or job.placement.workers)
    present = micro_batch_of(job) or share
    return (True, {"micro_batch": -(-present // 2)}) if present > 1 else (False, {})


def _sentence(kind: FailureKind, error: BaseException) -> str:
    if kind in SAYINGS:
        return SAYINGS[kind]
    if UNIMPORTABLE in str(error):
        return f"a worker cannot import the program: {last_line(error)}; install this environment where Ray's workers start"
    if kind in (FailureKind.CRASH, FailureKind.PROGRAM):
        return f"{type(error).__name__}: {last_line(error)}"
    if kind is FailureKind.DISK_FULL:
        return f"the disk is full: {last_line(error)}; the last state before is kept: free some space and run again"
    return first_line(error)
