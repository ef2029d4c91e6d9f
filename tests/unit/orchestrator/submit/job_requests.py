"""Make job requests and drivers' records for tests."""

import time

from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.record import JobRecord
from orchestrator.submit.shipment import Shipment
from orchestrator.submit.states import SubmissionState

KEY = "stillhouse-0123456789ab"


def job_request(key: str = KEY, study: str = "tiny") -> JobRequest:
    return JobRequest(key, study, Shipment({"study.yaml": b"name: tiny\n"}), "/shared/runs")


def said(
    attempt: str, state: SubmissionState = SubmissionState.RUNNING, reason: str = "its driver lives", ago_s: float = 0.0
) -> JobRecord:
    """What a driver wrote so many seconds ago."""
    return JobRecord(attempt, "tiny", state, reason, "node-1", time.time() - ago_s, time.time() - ago_s)
