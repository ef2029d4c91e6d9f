"""Reconcile the queue with the cluster, one step at a time; after a kill the next process continues."""

import time
from dataclasses import dataclass
from typing import Protocol

from orchestrator.core.version import own_version
from orchestrator.service.queue import Conflict, Queue, QueueEntry
from orchestrator.submit.identity import Attempt
from orchestrator.submit.job_request import LONGEST_END_S, ray_job
from orchestrator.submit.reconcile import RayJob, SubmissionStatus, may_write, reconcile
from orchestrator.submit.record import JobRecord
from orchestrator.submit.states import SubmissionState

BUSY = frozenset({SubmissionState.SUBMITTED, SubmissionState.RUNNING, SubmissionState.STOPPING, SubmissionState.LOST})
MOST_LOSSES = 5  # attempts of a study that may be lost before it counts as failed


class JobCluster(Protocol):
    """Start, stop and look at jobs; see ``RayCluster``, which does."""

    def require_same_version(self) -> None: ...
    def upload(self, archive: bytes, digest: str) -> str: ...
    def submit(self, job: dict[str, object]) -> None: ...
    def job(self, attempt_id: str) -> RayJob | None: ...
    def stop(self, attempt_id: str) -> None: ...


class Records(Protocol):
    """Read drivers' records; see ``JobRecords``."""

    def read(self, attempt_id: str) -> JobRecord | None: ...


@dataclass(frozen=True)
class ReconcileLoop:
    """Move each study on as far as the cluster allows.

    An attempt's id is on disk before its job is submitted, and Ray starts an id once: an interruption between the two
    leads to a retry with the same id. Studies run one after another, for each may use the whole cluster and the store
    has one writer.
    """

    queue: Queue
    cluster: JobCluster
    records: Records

    def step(self) -> None:
        """Reconcile every study once; raises ``OperationError`` or ``UserError`` when the cluster does not answer or refuses."""
        entries = self.queue.entries()
        for entry in entries:
            if entry.state in BUSY:
                self._look(entry)
        if not any(entry.state in BUSY for entry in self.queue.entries()):
            self._begin_next()

    def _begin_next(self) -> None:
        waiting = [entry for entry in self.queue.entries() if entry.state == SubmissionState.QUEUED]
        if waiting:
            self._move(waiting[0], SubmissionState.SUBMITTED, "its turn has come")
            self._look_again(waiting[0].key)

    def _look_again(self, key: str) -> None:
        entry = self.queue.entry(key)
        if entry is not None and entry.state in BUSY:
            self._look(entry)

    def _look(self, entry: QueueEntry) -> None:
        if entry.state == SubmissionState.LOST:
            self._after_loss(entry)
            return
        job, record = self.cluster.job(entry.id), self.records.read(entry.id)
        if entry.state == SubmissionState.SUBMITTED:
            self._hand_over(entry, known=job is not None or record is not None)
            return
        self._follow(entry, reconcile(record, job, visible=True))

    def _hand_over(self, entry: QueueEntry, *, known: bool) -> None:
        """Submit the attempt to Ray, unless an earlier process has done so without recording it."""
        if not known:
            self.cluster.require_same_version()
            job_request = self.queue.job_request(entry.key)
            uri = self.cluster.upload(job_request.shipment.archive(), job_request.shipment.digest)
            attempt = Attempt(entry.key, entry.attempt)
            self.cluster.submit(ray_job(job_request, attempt, uri, own_version()))
        self._move(entry, SubmissionState.RUNNING, "Ray has taken it")

    def _follow(self, entry: QueueEntry, verdict: SubmissionStatus) -> None:
        state, reason = verdict
        if state in (SubmissionState.SUBMITTED, SubmissionState.RUNNING):
            if entry.state == SubmissionState.STOPPING:
                self.cluster.stop(entry.id)
            return
        if entry.state == SubmissionState.STOPPING and state == SubmissionState.LOST:
            if not self._has_ended(entry):
                return
            state = SubmissionState.STOPPED
        self._move(entry, state, reason)
        if state == SubmissionState.LOST:
            self._look_again(entry.key)

    def _after_loss(self, entry: QueueEntry) -> None:
        """Queue a lost study again, as often as the budget allows, once its driver has ended."""
        if not self._has_ended(entry):
            return
        if entry.losses > MOST_LOSSES:
            self._move(entry, SubmissionState.FAILED, f"lost {entry.losses} times, the last: {entry.reason}")
        else:
            self._move(
                entry,
                SubmissionState.QUEUED,
                f"lost ({entry.reason}); submitted again, {entry.losses} of {MOST_LOSSES}",
            )

    def _has_ended(self, entry: QueueEntry) -> bool:
        """End a driver that was silent for too long, and return whether Ray says that it is gone.

        It holds the store until then, so that the next driver would fail. Ray kills one that stands still; a Ray that has
        not done so after ``LONGEST_END_S`` is not waited for.
        """
        if not may_write(self.cluster.job(entry.id)):
            return True
        self.cluster.stop(entry.id)
        since = self.queue.events(key=entry.key)[-1].time
        return not may_write(self.cluster.job(entry.id)) or time.time() - since > LONGEST_END_S

    def _move(self, entry: QueueEntry, after: SubmissionState, reason: str) -> None:
        """Change the state, unless another process changed it first: then the next step sees that change."""
        try:
            self.queue.move(entry, after, reason)
        except Conflict:
            return
