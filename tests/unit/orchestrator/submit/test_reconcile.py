"""A submission's state: the driver's own word about its end, then its signs of life, then Ray's word."""

import pytest

from orchestrator.submit.reconcile import SILENCE_S, RayJob, reconcile
from orchestrator.submit.states import SubmissionState
from tests.unit.orchestrator.submit.job_requests import said

STATUSES = ("PENDING", "RUNNING", "STOPPED", "FAILED", "SUCCEEDED", None)
ENDS = (SubmissionState.FINISHED, SubmissionState.FAILED, SubmissionState.STOPPED)


def job(status):
    return RayJob(status, "as Ray sees it") if status else None


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("end", ENDS)
def test_what_the_driver_said_about_its_end_counts_whatever_ray_says(end, status):
    assert reconcile(said("a", end, "why", ago_s=1e6), job(status), visible=True) == (end, "why")


@pytest.mark.parametrize(
    ("status", "fresh", "silent"),
    [
        ("PENDING", SubmissionState.RUNNING, SubmissionState.LOST),
        ("RUNNING", SubmissionState.RUNNING, SubmissionState.LOST),
        (
            None,
            SubmissionState.RUNNING,
            SubmissionState.LOST,
        ),  # a new head knows no jobs; the driver may live until it notices
        ("STOPPED", SubmissionState.STOPPED, SubmissionState.STOPPED),
        ("FAILED", SubmissionState.LOST, SubmissionState.LOST),
        ("SUCCEEDED", SubmissionState.LOST, SubmissionState.LOST),
    ],
)
def test_while_a_driver_has_not_said_how_it_ended_its_signs_of_life_count(status, fresh, silent):
    assert reconcile(said("a", ago_s=SILENCE_S / 2), job(status), visible=True).state == fresh
    assert reconcile(said("a", ago_s=SILENCE_S * 2), job(status), visible=True).state == silent


@pytest.mark.parametrize(
    ("status", "seen", "unseen"),
    [
        ("PENDING", SubmissionState.SUBMITTED, SubmissionState.SUBMITTED),
        ("RUNNING", SubmissionState.SUBMITTED, SubmissionState.RUNNING),
        ("STOPPED", SubmissionState.STOPPED, SubmissionState.STOPPED),
        ("FAILED", SubmissionState.FAILED, SubmissionState.FAILED),
        ("SUCCEEDED", SubmissionState.LOST, SubmissionState.FINISHED),
        (None, SubmissionState.LOST, SubmissionState.LOST),
    ],
)
def test_without_a_record_it_matters_whether_one_could_be_seen(status, seen, unseen):
    assert reconcile(None, job(status), visible=True).state == seen
    assert reconcile(None, job(status), visible=False).state == unseen


def test_a_status_that_a_later_ray_may_have_is_not_taken_for_life():
    assert reconcile(None, RayJob("MELTED"), visible=True).state.is_over


def test_a_failure_carries_what_ray_says_about_it():
    found = reconcile(None, RayJob("FAILED", "runtime_env setup\nfailed: no such file"), visible=True)
    assert "runtime_env setup failed: no such file" in found.reason
