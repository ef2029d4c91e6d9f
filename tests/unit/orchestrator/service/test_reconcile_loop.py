"""The reconcile loop: one study at a time, each attempt started once, lost ones again within the budget."""

import httpx
import pytest

from orchestrator.core.errors import OperationError, UserError
from orchestrator.service import reconcile_loop
from orchestrator.service.queue import Queue
from orchestrator.service.reconcile_loop import MOST_LOSSES, ReconcileLoop
from orchestrator.submit import cluster
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.record import JobRecords
from orchestrator.submit.states import SubmissionState
from tests.unit.orchestrator.submit.fake_ray import FakeRay
from tests.unit.orchestrator.submit.job_requests import KEY, job_request, said

OTHER = "stillhouse-aaaaaaaaaaaa"


@pytest.fixture
def ray(tmp_path):
    return FakeRay(tmp_path / "ray")


@pytest.fixture
def loop(ray, tmp_path):
    queue = Queue(tmp_path / "queue.db", longest=9)
    queue.add(job_request())
    return ReconcileLoop(queue, RayCluster("http://head", ray.transport), JobRecords(tmp_path))


def states(loop):
    return {entry.key: entry.state for entry in loop.queue.entries()}


def lose(loop, attempt):
    loop.records.write(said(f"{KEY}-{attempt}", ago_s=3600))


def test_studies_run_one_after_another(loop, ray):
    loop.queue.add(job_request(OTHER))
    loop.step()
    loop.step()
    assert states(loop) == {KEY: SubmissionState.RUNNING, OTHER: SubmissionState.QUEUED}
    loop.records.write(said(f"{KEY}-1", SubmissionState.FINISHED, "done"))
    loop.step()
    assert states(loop) == {KEY: SubmissionState.FINISHED, OTHER: SubmissionState.RUNNING}
    assert ray.starts == [f"{KEY}-1", f"{OTHER}-1"]


def test_a_lost_driver_is_replaced_within_the_budget(loop, ray):
    for attempt in range(1, MOST_LOSSES + 2):
        loop.step()
        lose(loop, attempt)
        loop.step()
    loop.step()
    assert states(loop) == {KEY: SubmissionState.FAILED}
    assert "lost 6 times" in loop.queue.entry(KEY).reason
    assert ray.starts == [f"{KEY}-{number}" for number in range(1, MOST_LOSSES + 2)]


def test_a_silent_driver_has_ended_before_the_next_attempt_begins(loop, ray, monkeypatch):
    """It holds the store until then: the next one would fail, and the study with it."""
    asked = []
    monkeypatch.setattr(ray, "about", slow_to_end(ray, asked))
    loop.queue.add(job_request(OTHER))
    loop.step()
    ray.say(f"{KEY}-1", status="RUNNING")
    lose(loop, 1)
    for _ in range(3):
        loop.step()
    assert states(loop) == {KEY: SubmissionState.LOST, OTHER: SubmissionState.QUEUED}
    assert asked == [f"{KEY}-1"] * 3
    ray.say(f"{KEY}-1", status="STOPPED")
    loop.step()
    assert ray.starts == [f"{KEY}-1", f"{KEY}-2"]


def test_a_ray_that_does_not_end_a_driver_is_not_waited_for_for_ever(loop, ray, monkeypatch):
    monkeypatch.setattr(ray, "about", slow_to_end(ray, []))
    loop.step()
    ray.say(f"{KEY}-1", status="RUNNING")
    lose(loop, 1)
    loop.step()
    monkeypatch.setattr(reconcile_loop, "LONGEST_END_S", -1.0)
    loop.step()
    assert ray.starts == [f"{KEY}-1", f"{KEY}-2"]


def test_a_silent_driver_that_is_to_stop_has_ended_before_the_next_study_begins(loop, ray, monkeypatch):
    monkeypatch.setattr(ray, "about", slow_to_end(ray, []))
    loop.queue.add(job_request(OTHER))
    loop.step()
    ray.say(f"{KEY}-1", status="RUNNING")
    loop.queue.move(loop.queue.entry(KEY), SubmissionState.STOPPING, "asked to stop")
    lose(loop, 1)
    loop.step()
    assert states(loop) == {KEY: SubmissionState.STOPPING, OTHER: SubmissionState.QUEUED}
    ray.say(f"{KEY}-1", status="FAILED")
    loop.step()
    assert states(loop) == {KEY: SubmissionState.STOPPED, OTHER: SubmissionState.RUNNING}


def slow_to_end(ray, asked):
    """Return an answer of Ray's that notes whom it is asked to stop, and does not do so at once."""
    about = ray.about

    def answer(request, name, *what):
        if what == ("stop",):
            asked.append(name)
            return httpx.Response(200, json={"stopped": True})
        return about(request, name, *what)

    return answer


def test_a_new_head_that_knows_no_job_gets_the_next_attempt(loop, ray):
    loop.step()
    loop.records.write(said(f"{KEY}-1"))
    ray.forget()
    loop.step()
    assert states(loop) == {KEY: SubmissionState.RUNNING}  # its driver was heard just now
    lose(loop, 1)
    loop.step()
    assert ray.starts == [f"{KEY}-1", f"{KEY}-2"]
    assert loop.queue.entry(KEY).id == f"{KEY}-2"


def test_what_failed_by_its_own_fault_is_not_tried_again(loop, ray):
    loop.step()
    loop.records.write(said(f"{KEY}-1", SubmissionState.FAILED, "the teacher failed"))
    for _ in range(3):
        loop.step()
    assert (loop.queue.entry(KEY).state, loop.queue.entry(KEY).reason) == (
        SubmissionState.FAILED,
        "the teacher failed",
    )
    assert ray.starts == [f"{KEY}-1"]


def test_a_job_that_ray_could_not_even_start_has_failed(loop, ray):
    loop.step()
    ray.say(f"{KEY}-1", status="FAILED", message="no such interpreter")
    loop.step()
    assert "no such interpreter" in loop.queue.entry(KEY).reason
    assert states(loop) == {KEY: SubmissionState.FAILED}


def test_stopping_asks_ray_and_ends_with_the_driver(loop, ray):
    loop.step()
    ray.say(f"{KEY}-1", status="RUNNING")
    loop.records.write(said(f"{KEY}-1"))
    loop.queue.move(loop.queue.entry(KEY), SubmissionState.STOPPING, "asked to stop")
    loop.step()
    assert ray.read(f"{KEY}-1")["status"] == "STOPPED"
    loop.step()
    assert states(loop) == {KEY: SubmissionState.STOPPED}


def test_a_cluster_that_is_away_loses_nothing(loop, ray, monkeypatch):
    monkeypatch.setattr(cluster, "PAUSE_S", 0)
    loop.step()
    lose(loop, 1)
    away = ReconcileLoop(loop.queue, RayCluster("http://127.0.0.1:1"), loop.records)
    with pytest.raises(OperationError, match="no Ray cluster answers"):
        away.step()
    assert states(loop) == {KEY: SubmissionState.RUNNING}
    loop.step()
    assert ray.starts == [f"{KEY}-1", f"{KEY}-2"]


def test_a_cluster_of_another_version_keeps_the_study_waiting(loop, ray):
    right, ray.version = ray.version, "2.9.0"
    with pytest.raises(UserError, match=r"runs Ray 2\.9\.0"):
        loop.step()
    assert states(loop) == {KEY: SubmissionState.SUBMITTED}
    ray.version = right
    loop.step()
    assert ray.starts == [f"{KEY}-1"]
