"""Keep submissions without a service: Ray has the jobs; the store has their drivers' records."""

import time
from dataclasses import dataclass

from orchestrator.core.errors import UserError
from orchestrator.core.version import own_version
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.identity import Attempt, key_in, parse_attempt
from orchestrator.submit.job_request import LONGEST_END_S, JobRequest, ray_job
from orchestrator.submit.reconcile import RayJob, may_write, reconcile
from orchestrator.submit.record import JobRecord, JobRecords
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission, SubmissionResult

LOOK_EVERY_S = 1.0  # at a driver that is to end


@dataclass(frozen=True)
class Direct:
    """Be the ``Submissions`` of one cluster and one store."""

    cluster: RayCluster
    job_records: JobRecords

    def key_of(self, job_request: JobRequest) -> str:
        return job_request.key

    def submit(self, job_request: JobRequest) -> SubmissionResult:
        self.cluster.require_same_version()
        latest = self._latest(job_request.key)
        if latest is None:
            return self._start(job_request, Attempt(job_request.key, 1))
        if latest.state.is_resumable:
            raise UserError(f"{latest.id} {ended(latest)}: stillhouse resume starts another attempt")
        return SubmissionResult(latest, new=False)

    def resume(self, job_request: JobRequest) -> SubmissionResult:
        self.cluster.require_same_version()
        latest = self._latest(job_request.key)
        if latest is None:
            raise UserError(
                f"{job_request.study} was never submitted for the store {job_request.store}: stillhouse submit does that"
            )
        if not latest.state.is_resumable:
            return SubmissionResult(latest, new=False)
        self._end(latest.id)
        return self._start(job_request, Attempt(latest.key, latest.attempt).next)

    def status(self, name: str) -> Submission:
        attempt = self._attempt(name)
        return self._judged(attempt, self.cluster.job(str(attempt)), self.job_records.read(str(attempt)))

    def stop(self, name: str) -> Submission:
        found = self.status(name)
        if found.state.is_over:
            raise UserError(f"{found.id} {ended(found)}: nothing to stop")
        self.cluster.stop(found.id)
        return found

    def logs(self, name: str) -> str:
        return self.cluster.logs(str(self._attempt(name)))

    def all(self) -> list[Submission]:
        jobs = self.cluster.jobs()
        newest: dict[str, Attempt] = {}
        for attempt in self._attempts(jobs):
            newest[attempt.key] = max(attempt, newest.get(attempt.key, attempt))
        return [
            self._judged(one, jobs.get(str(one)), self.job_records.read(str(one))) for _, one in sorted(newest.items())
        ]

    def _end(self, attempt_id: str) -> None:
        """End a driver that was silent for too long: it holds the store, and the next one would fail beside it."""
        if not may_write(self.cluster.job(attempt_id)):
            return
        self.cluster.stop(attempt_id)
        giving_up = time.monotonic() + LONGEST_END_S
        while may_write(self.cluster.job(attempt_id)) and time.monotonic() < giving_up:
            time.sleep(LOOK_EVERY_S)

    def _start(self, job_request: JobRequest, attempt: Attempt) -> SubmissionResult:
        uri = self.cluster.upload(job_request.shipment.archive(), job_request.shipment.digest)
        self.cluster.submit(ray_job(job_request, attempt, uri, own_version()))
        begun = Submission(
            str(attempt),
            job_request.key,
            job_request.study,
            SubmissionState.SUBMITTED,
            "Ray has taken it",
            attempt.number,
        )
        return SubmissionResult(begun, new=True)

    def _latest(self, key: str) -> Submission | None:
        jobs = self.cluster.jobs()
        attempts = [attempt for attempt in self._attempts(jobs) if attempt.key == key]
        if not attempts:
            return None
        newest = max(attempts)
        return self._judged(newest, jobs.get(str(newest)), self.job_records.read(str(newest)))

    def _attempts(self, jobs: dict[str, RayJob]) -> list[Attempt]:
        return [found for name in {*jobs, *self.job_records.ids()} if (found := parse_attempt(name)) is not None]

    def _attempt(self, name: str) -> Attempt:
        """Return the attempt that a name means: itself, or the newest of its submission."""
        known = self._attempts(self.cluster.jobs())
        named = parse_attempt(name)
        found = [one for one in known if one == named or (named is None and one.key == key_in(name))]
        if not found:
            raise UserError(f"neither the cluster nor the store knows {name}: stillhouse list shows all submissions")
        return max(found)

    def _judged(self, attempt: Attempt, job: RayJob | None, record: JobRecord | None) -> Submission:
        state, reason = reconcile(record, job, visible=self.job_records.folder.is_dir())
        study = record.study if record else job.study if job else ""
        return Submission(str(attempt), attempt.key, study, state, reason, attempt.number)


def ended(submission: Submission) -> str:
    """Describe the end of a submission."""
    verb = {
        SubmissionState.FINISHED: "has finished",
        SubmissionState.STOPPED: "was stopped",
        SubmissionState.LOST: "was lost",
        SubmissionState.FAILED: "failed",
    }
    return f"{verb[submission.state]} ({submission.reason})"
