"""Submit, resume, stop and show submissions, on a cluster or through a service."""

from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.states import SubmissionState


@dataclass(frozen=True)
class Submission:
    """Hold how a submission stands. ``id`` is that of its newest attempt, in Ray too; ``key`` that of all of them."""

    id: str
    key: str
    study: str
    state: SubmissionState
    reason: str
    attempt: int

    def to_json(self) -> dict[str, Any]:
        """Return the submission as the commands print it."""
        return dict(vars(self))  # flat: asdict would copy each value, which a long list pays for


@dataclass(frozen=True)
class SubmissionResult:
    """Hold the outcome of a submit request: ``new`` is false when there was nothing to start."""

    submission: Submission
    new: bool


class Submissions(Protocol):
    """Keep submissions. Names are keys or ids of attempts.

    All methods raise ``UserError`` for mistakes that the user can correct, including unknown names, and
    ``OperationError`` when the cluster or service does not answer.
    """

    def key_of(self, job_request: JobRequest) -> str:
        """Return the key that a job request has, or would have, here."""

    def submit(self, job_request: JobRequest) -> SubmissionResult:
        """Start the job request's first attempt, or join the running one: a submission is never started twice.

        Raises ``UserError`` when it has ended without being finished: going on is a decision of the user's.
        """

    def resume(self, job_request: JobRequest) -> SubmissionResult:
        """Start the next attempt of a submission that failed, was stopped or lost; join one that runs."""

    def status(self, name: str) -> Submission:
        """Return how a submission stands."""

    def stop(self, name: str) -> Submission:
        """Ask a submission to stop; raise ``UserError`` when it has ended."""

    def logs(self, name: str) -> str:
        """Return all that the newest attempt, or the one named, has printed."""

    def all(self) -> list[Submission]:
        """Return the newest attempt of every submission, by key."""
