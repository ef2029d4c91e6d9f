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

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more happens to the submission unless somebody resumes it."""
        return self not in (
            SubmissionState.QUEUED,
            SubmissionState.SUBMITTED,
            SubmissionState.RUNNING,
            SubmissionState.STOPPING,
        )

    @property
    def is_resumable(self) -> bool:
        """Tell whether another attempt can be started."""
        return self in (SubmissionState.FAILED, SubmissionState.STOPPED, SubmissionState.LOST)
