"""Derive a submission's status from its driver's record and from Ray's."""

import time
from typing import NamedTuple

from orchestrator.submit.record import JobRecord
from orchestrator.submit.states import SubmissionState

SILENCE_S = 90.0  # a driver writes every few seconds; machines' clocks may differ a little
RAYS = {
    "PENDING": SubmissionState.SUBMITTED,
    "RUNNING": SubmissionState.SUBMITTED,  # the job's process runs; until it has written its record it has not begun
    "STOPPED": SubmissionState.STOPPED,
    "FAILED": SubmissionState.FAILED,
    "SUCCEEDED": SubmissionState.LOST,  # a driver that succeeds has said so in its record
}


class RayJob(NamedTuple):
    """Hold Ray's record of a job: its status, a message, and its study."""

    status: str
    message: str = ""
    study: str = ""

    @property
    def over(self) -> bool:
        """Return whether Ray holds the job for ended."""
        return self.status in ("STOPPED", "FAILED", "SUCCEEDED")


def may_write(job: RayJob | None) -> bool:
    """Return whether a job's driver may still be there and hold its store."""
    return job is not None and not job.over


class SubmissionStatus(NamedTuple):
    """Hold a state and why it is believed."""

    state: SubmissionState
    reason: str


def reconcile(
    record: JobRecord | None, job: RayJob | None, *, visible: bool, now: float | None = None
) -> SubmissionStatus:
    """Return the state of an attempt.

    The driver's own record of its end takes precedence over Ray's: Ray calls jobs failed whose head was replaced. While
    a driver lives, its signs of life count. ``visible`` says whether its records can be seen from here; where they
    cannot, Ray's word is all there is, and the reason says so.
    """
    if record is not None and record.state.is_over:
        return SubmissionStatus(record.state, record.reason)
    if record is not None:
        return _begun(record, job, (now or time.time()) - record.heard)
    if job is None:
        return SubmissionStatus(SubmissionState.LOST, "neither Ray nor the store has a record of it")
    if not visible:
        return _by_ray_alone(job)
    return SubmissionStatus(
        RAYS.get(job.status, SubmissionState.LOST), f"Ray says {_said(job)}; its driver has no record"
    )


def _begun(record: JobRecord, job: RayJob | None, silent_s: float) -> SubmissionStatus:
    """Judge an attempt whose driver has begun and not said how it ended."""
    if job is not None and job.status == "STOPPED":
        return SubmissionStatus(SubmissionState.STOPPED, "stopped immediately; trials resume from their last records")
    if job is not None and job.over:
        return SubmissionStatus(SubmissionState.LOST, f"Ray says {_said(job)}; its driver did not record its end")
    if silent_s > SILENCE_S:
        rays = f"Ray says {job.status}" if job else "Ray does not know it"
        return SubmissionStatus(
            SubmissionState.LOST, f"its driver on {record.host} was last heard {silent_s:.0f} s ago; {rays}"
        )
    return SubmissionStatus(SubmissionState.RUNNING, record.reason)


def _by_ray_alone(job: RayJob) -> SubmissionStatus:
    states = RAYS | {"RUNNING": SubmissionState.RUNNING, "SUCCEEDED": SubmissionState.FINISHED}
    return SubmissionStatus(
        states.get(job.status, SubmissionState.LOST), f"Ray says {_said(job)}; the store is not visible from here"
    )


def _said(job: RayJob) -> str:
    message = " ".join(job.message.split())
    return f"{job.status}: {message[:200]}" if message and job.over else job.status
