"""A trial of a study that was submitted to a cluster is asked for by a job there: the store is not seen from the client."""

import io
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.api import Study
from orchestrator.core.errors import OperationError, UserError
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.trial_job import ask_on_cluster
from tests.e2e.service_process import STUDY
from tests.e2e.stillhouse import ROOT
from tests.unit.orchestrator.submit.fake_ray import FakeRay
from trainers.schema.request import Request, is_paused


class RunningRay(FakeRay):
    """Run each job's command as Ray does: in the folder of its package, with its variables; the output is its log."""

    def start(self, job: dict[str, Any]) -> httpx.Response:
        answer = super().start(job)
        [package] = (self.folder / "packages").iterdir()
        folder = self.folder / "work" / job["submission_id"]
        zipfile.ZipFile(io.BytesIO(package.read_bytes())).extractall(folder)
        variables = {"PYTHONPATH": str(ROOT), "RAY_API_SERVER_ADDRESS": "http://head", **job["runtime_env"]["env_vars"]}
        done = subprocess.run(
            ["bash", "-c", job["entrypoint"]], cwd=folder, env=os.environ | variables, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        )  # fmt: skip
        message = "Job finished successfully." if not done.returncode else MESSAGE % done.returncode
        status = "FAILED" if done.returncode else "SUCCEEDED"
        self.say(job["submission_id"], status=status, message=message, logs=f"Ray says something\n{done.stdout}")
        return answer


MESSAGE = "Job entrypoint command failed with exit code %d, last available logs (truncated to 20,000 chars):\n"


def test_a_request_is_left_by_a_job_and_its_refusal_comes_back(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY % 4)
    study, store = Study.load(tmp_path / "study.yaml"), tmp_path / "shared"
    [trial] = study.plan(store).trials
    ray = RunningRay(tmp_path / "ray")
    cluster, job_request = RayCluster("http://head", ray.transport), study.job_request(store)
    with pytest.raises(UserError, match=f"there is no store at {store}"):
        ask_on_cluster(cluster, job_request, trial.id, Request.PAUSE)
    store.mkdir()
    asked = ask_on_cluster(cluster, job_request, trial.id[:6], Request.PAUSE)
    assert (asked.trial, asked.at_once) == (trial.id, True)
    assert is_paused(trial.directory)
    with pytest.raises(UserError, match=f"^{trial.id} is paused already"):
        ask_on_cluster(cluster, job_request, trial.id, Request.PAUSE)


def test_a_job_that_never_ends_is_stopped_and_said(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY % 4)
    ray, waited = FakeRay(tmp_path / "ray"), list[float]()
    job_request = Study.load(tmp_path / "study.yaml").job_request(tmp_path / "shared")
    with pytest.raises(OperationError, match=r"has not run the job stillhouse-request-[0-9a-f]{12} within 180 s"):
        ask_on_cluster(RayCluster("http://head", ray.transport), job_request, "0", Request.STOP, waited.append)
    assert sum(waited) == 180
    assert [ray.read(name)["status"] for name in ray.starts] == ["STOPPED"]
