"""Submissions on a cluster: started once, whoever asks and however often."""

import dataclasses
import shlex

import httpx
import pytest

from orchestrator.core.errors import OperationError, UserError
from orchestrator.submit import direct as module
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.direct import Direct
from orchestrator.submit.record import JobRecords
from orchestrator.submit.states import SubmissionState
from tests.clock import own_clock
from tests.unit.orchestrator.submit.fake_ray import FakeRay
from tests.unit.orchestrator.submit.job_requests import KEY, job_request, said


@pytest.fixture
def ray(tmp_path):
    return FakeRay(tmp_path / "ray")


@pytest.fixture
def direct(ray, tmp_path):
    return Direct(RayCluster("http://head:8265", ray.transport), JobRecords(tmp_path / "store"))


def test_submitting_twice_joins(direct, ray):
    first, second = direct.submit(job_request()), direct.submit(job_request())
    assert (first.new, second.new) == (True, False)
    assert second.submission.id == first.submission.id == f"{KEY}-1"
    assert ray.starts == [f"{KEY}-1"]


def test_a_finished_submission_is_not_started_again_not_even_on_a_new_head(direct, ray):
    direct.submit(job_request())
    direct.job_records.write(said(f"{KEY}-1", SubmissionState.FINISHED, "all trials have ended"))
    ray.forget()
    for result in (direct.submit(job_request()), direct.resume(job_request())):
        assert (result.new, result.submission.state) == (False, SubmissionState.FINISHED)
    assert ray.starts == [f"{KEY}-1"]


@pytest.mark.parametrize("end", [SubmissionState.FAILED, SubmissionState.STOPPED])
def test_going_on_is_the_users_decision(direct, ray, end):
    direct.submit(job_request())
    direct.job_records.write(said(f"{KEY}-1", end, "the teacher failed"))
    with pytest.raises(UserError, match=r"the teacher failed.*stillhouse resume"):
        direct.submit(job_request())
    assert direct.resume(job_request()).submission.id == f"{KEY}-2"
    assert ray.starts == [f"{KEY}-1", f"{KEY}-2"]


def test_a_silent_driver_is_stopped_before_the_next_attempt_begins(direct, ray):
    direct.submit(job_request())
    ray.say(f"{KEY}-1", status="RUNNING")
    direct.job_records.write(said(f"{KEY}-1", ago_s=3600))
    assert direct.status(KEY).state == SubmissionState.LOST
    direct.resume(job_request())
    assert ray.read(f"{KEY}-1")["status"] == "STOPPED"
    assert direct.status(KEY).id == f"{KEY}-2"


def test_the_tenth_attempt_comes_after_the_ninth(direct):
    for number in (1, 9, 10):
        direct.job_records.write(said(f"{KEY}-{number}", SubmissionState.FAILED))
    assert direct.resume(job_request()).submission.attempt == 11


def test_resuming_what_was_never_submitted_is_refused(direct):
    with pytest.raises(UserError, match="never submitted"):
        direct.resume(job_request())


def test_stopping_ends_a_job_once(direct, ray):
    direct.submit(job_request())
    ray.say(f"{KEY}-1", status="RUNNING")
    assert direct.stop(KEY).id == f"{KEY}-1"
    with pytest.raises(UserError, match="nothing to stop"):
        direct.stop(f"{KEY}-1")


@pytest.mark.parametrize("name", [f"{KEY}-7", "stillhouse-ffffffffffff", "raysubmit_1"])
def test_an_unknown_name_is_said_to_be_unknown(direct, name):
    direct.submit(job_request())
    with pytest.raises(UserError, match="knows"):
        direct.status(name)


def test_all_names_the_newest_attempt_of_each_and_nobody_elses_jobs(direct, ray):
    direct.submit(job_request())
    direct.submit(job_request("stillhouse-aaaaaaaaaaaa", "other"))
    direct.job_records.write(said(f"{KEY}-2"))
    ray.write({"submission_id": "raysubmit_1", "status": "RUNNING"})
    found = [(one.id, one.study) for one in direct.all()]
    assert found == [(f"{KEY}-2", "tiny"), ("stillhouse-aaaaaaaaaaaa-1", "other")]


def test_the_job_runs_the_cluster_s_interpreter_and_gets_its_words_whole(direct, ray):
    wanted = dataclasses.replace(
        job_request(), study="a 'quoted' $(study)", python="/opt/env/bin/python", resources={"safe": 0.01},
        variables={"STILLHOUSE_DATA": "/data"}, options=("--trust-config",),
    )  # fmt: skip
    direct.submit(wanted)
    job = ray.read(f"{KEY}-1")
    words = shlex.split(job["entrypoint"])
    assert words[:2] == ["exec", "/opt/env/bin/python"]
    assert words[words.index("--study") + 1] == "a 'quoted' $(study)"
    assert words[words.index("--") + 1 :] == [
        "study.yaml", "--address", "auto", "--store", "/shared/runs", "--trust-config",
    ]  # fmt: skip
    assert job["entrypoint_resources"] == {"safe": 0.01}
    assert job["runtime_env"]["env_vars"]["STILLHOUSE_DATA"] == "/data"
    assert job["runtime_env"]["working_dir"].removeprefix("gcs://") in {
        path.name for path in (ray.folder / "packages").iterdir()
    }


def test_another_version_of_ray_is_refused_before_anything_is_sent(tmp_path):
    ray = FakeRay(tmp_path, ray_version="2.9.0")
    with pytest.raises(UserError, match=r"runs Ray 2\.9\.0, this environment has"):
        Direct(RayCluster("head:8265", ray.transport), JobRecords(tmp_path)).submit(job_request())
    assert ray.starts == []


def test_an_answer_that_was_lost_is_asked_for_instead_of_believed_to_be_a_failure(ray, tmp_path):
    import httpx

    def answer(request):
        reply = ray.answer(request)
        if request.method == "POST":
            raise httpx.ReadTimeout("timed out", request=request)
        return reply

    direct = Direct(RayCluster("http://head:8265", httpx.MockTransport(answer)), JobRecords(tmp_path / "store"))
    assert direct.submit(job_request()).new
    assert ray.starts == [f"{KEY}-1"]


def test_a_submission_that_ray_refuses_says_why_in_its_last_line(ray, tmp_path):
    import httpx

    def answer(request):
        return httpx.Response(500, text="Traceback\n...\nno agent") if request.method == "POST" else ray.answer(request)

    direct = Direct(RayCluster("http://head:8265", httpx.MockTransport(answer)), JobRecords(tmp_path / "store"))
    with pytest.raises(OperationError, match="no agent"):
        direct.submit(job_request())


def test_a_silent_driver_has_ended_before_the_next_attempt_begins(direct, ray, monkeypatch):
    """It holds the store until then: the next one would fail."""
    direct.submit(job_request())
    ray.say(f"{KEY}-1", status="RUNNING")
    direct.job_records.write(said(f"{KEY}-1", ago_s=3600))
    at_start = []
    monkeypatch.setattr(ray, "about", slow_to_end(ray))
    own_clock(monkeypatch, module, sleep=lambda seconds: ray.say(f"{KEY}-1", status="STOPPED"))
    monkeypatch.setattr(ray, "start", lambda job, start=ray.start: at_start.append(status(ray)) or start(job))
    assert direct.resume(job_request()).submission.id == f"{KEY}-2"
    assert at_start == ["STOPPED"]


def status(ray):
    return ray.read(f"{KEY}-1")["status"]


def slow_to_end(ray):
    """Return an answer of Ray's that does not stop a job at once."""
    about = ray.about

    def answer(request, name, *what):
        return httpx.Response(200, json={"stopped": True}) if what == ("stop",) else about(request, name, *what)

    return answer
