"""Define the states of a submission."""

from enum import StrEnum


class SubmissionState(StrEnum):
    """Name the states of a submission; a closed list."""

    QUEUED = "queued"  # a service has it and waits for its turn
    SUBMITTED = "submitted"  # its attempt is given to Ray, the driver has not begun
    RUNNING = "running"
    STOPPING = "stopping"  # a service has been asked to stop it
    FINISHED = "finished"  # every trial has ended and its results are delivered
    FAILED = "failed"  # the driver ended and said why, or a service has given up
    STOPPED = "stopped"  # somebody asked for it; trials saved their states
    LOST = "lost"  # the driver is gone without a word: killed, or its machine taken away


ALIVE = frozenset(
    {SubmissionState.QUEUED, SubmissionState.SUBMITTED, SubmissionState.RUNNING, SubmissionState.STOPPING}
)
RESUMABLE = frozenset({SubmissionState.FAILED, SubmissionState.STOPPED, SubmissionState.LOST})
