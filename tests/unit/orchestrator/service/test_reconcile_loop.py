"""The keeper: one study at a time, each attempt started once, lost ones again within the budget."""

import pytest

from orchestrator.core.errors import OperationError, UserError
from orchestrator.service.queue import Queue
from orchestrator.service.reconcile_loop import MOST_LOSSES, ReconcileLoop
from orchestrator.submit import cluster
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.record import JobRecords
from orchestrator.submit.states import SubmissionState
from tests.unit.orchestrator.submit.fake_ray import FakeRay
from tests.unit.orchestrator.submit.job_requests import KEY, order, said

OTHER = "stillhouse-aaaaaaaaaaaa"


@pytest.fixture
def ray(tmp_path):
    return FakeRay(tmp_path / "ray")


@pytest.fixture
def keeper(ray, tmp_path):
    queue = Queue(tmp_path / "queue.db", longest=9)
    queue.add(order())
    return ReconcileLoop(queue, RayCluster("http://head", ray.transport), JobRecords(tmp_path))


def states(keeper):
    return {entry.key: entry.state for entry in keeper.queue.entries()}


def lose(keeper, attempt):
    keeper.records.write(said(f"{KEY}-{attempt}", ago_s=3600))


def test_studies_run_one_after_another(keeper, ray):
    keeper.queue.add(order(OTHER))
    keeper.step()
    keeper.step()
    assert states(keeper) == {KEY: SubmissionState.RUNNING, OTHER: SubmissionState.QUEUED}
    keeper.records.write(said(f"{KEY}-1", SubmissionState.FINISHED, "done"))
    keeper.step()
    assert states(keeper) == {KEY: SubmissionState.FINISHED, OTHER: SubmissionState.RUNNING}
    assert ray.starts == [f"{KEY}-1", f"{OTHER}-1"]


def test_a_lost_driver_is_replaced_within_the_budget(keeper, ray):
    for attempt in range(1, MOST_LOSSES + 2):
        keeper.step()
        lose(keeper, attempt)
        keeper.step()
    keeper.step()
    assert states(keeper) == {KEY: SubmissionState.FAILED}
    assert "lost 6 times" in keeper.queue.entry(KEY).reason
    assert ray.starts == [f"{KEY}-{number}" for number in range(1, MOST_LOSSES + 2)]


def test_a_new_head_that_knows_no_job_gets_the_next_attempt(keeper, ray):
    keeper.step()
    keeper.records.write(said(f"{KEY}-1"))
    ray.forget()
    keeper.step()
    assert states(keeper) == {KEY: SubmissionState.RUNNING}  # its driver was heard just now
    lose(keeper, 1)
    keeper.step()
    assert ray.starts == [f"{KEY}-1", f"{KEY}-2"]
    assert keeper.queue.entry(KEY).id == f"{KEY}-2"


def test_what_failed_by_its_own_fault_is_not_tried_again(keeper, ray):
    keeper.step()
    keeper.records.write(said(f"{KEY}-1", SubmissionState.FAILED, "the teacher failed"))
    for _ in range(3):
        keeper.step()
    assert (keeper.queue.entry(KEY).state, keeper.queue.entry(KEY).reason) == (
        SubmissionState.FAILED,
        "the teacher failed",
    )
    assert ray.starts == [f"{KEY}-1"]


def test_a_job_that_ray_could_not_even_start_has_failed(keeper, ray):
    keeper.step()
    ray.say(f"{KEY}-1", status="FAILED", message="no such interpreter")
    keeper.step()
    assert "no such interpreter" in keeper.queue.entry(KEY).reason
    assert states(keeper) == {KEY: SubmissionState.FAILED}


def test_stopping_asks_ray_and_ends_with_the_driver(keeper, ray):
    keeper.step()
    ray.say(f"{KEY}-1", status="RUNNING")
    keeper.records.write(said(f"{KEY}-1"))
    keeper.queue.move(keeper.queue.entry(KEY), SubmissionState.STOPPING, "asked to stop")
    keeper.step()
    assert ray.read(f"{KEY}-1")["status"] == "STOPPED"
    keeper.step()
    assert states(keeper) == {KEY: SubmissionState.STOPPED}


def test_a_cluster_that_is_away_loses_nothing(keeper, ray, monkeypatch):
    monkeypatch.setattr(cluster, "PAUSE_S", 0)
    keeper.step()
    lose(keeper, 1)
    away = ReconcileLoop(keeper.queue, RayCluster("http://127.0.0.1:1"), keeper.records)
    with pytest.raises(OperationError, match="no Ray cluster answers"):
        away.step()
    assert states(keeper) == {KEY: SubmissionState.RUNNING}
    keeper.step()
    assert ray.starts == [f"{KEY}-1", f"{KEY}-2"]


def test_a_cluster_of_another_version_keeps_the_study_waiting(keeper, ray):
    right, ray.version = ray.version, "2.9.0"
    with pytest.raises(UserError, match=r"runs Ray 2\.9\.0"):
        keeper.step()
    assert states(keeper) == {KEY: SubmissionState.SUBMITTED}
    ray.version = right
    keeper.step()
    assert ray.starts == [f"{KEY}-1"]
