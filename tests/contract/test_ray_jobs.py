"""What submissions rely on of Ray's Jobs API; a real cluster and the fake of the unit tests keep the same promises."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.core.errors import UserError
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.shipment import Shipment
from tests.e2e.ray_processes import RayProcesses, ray_processes
from tests.unit.orchestrator.submit.fake_ray import FakeRay

PATIENCE_S = 60
TOKEN = "the-token-of-the-fake"


@dataclass
class Jobs:
    """Hold a cluster; ``let`` makes the fake believe what happens to a real job by itself."""

    cluster: RayCluster
    let: Callable[..., None]
    processes: RayProcesses | None = None


@pytest.fixture(scope="module")
def real() -> Iterator[RayProcesses]:
    with ray_processes(workers=1) as processes:
        yield processes


@pytest.fixture(params=["fake", "real"])
def jobs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any) -> Jobs:
    if request.param == "real":
        processes = request.getfixturevalue("real")
        monkeypatch.setenv("RAY_AUTH_TOKEN", processes.token)
        return Jobs(RayCluster(processes.address), lambda *_, **__: None, processes)
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    fake = FakeRay(tmp_path_factory.mktemp("ray"), TOKEN)
    return Jobs(RayCluster("http://fake", fake.transport), fake.say)


def job(command: str, **more: Any) -> dict[str, Any]:
    return {"submission_id": f"job-{secrets.token_hex(6)}", "entrypoint": command, "runtime_env": {}, **more}


def status_when(cluster: RayCluster, name: str, wanted: tuple[str, ...]) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = cluster.job(name)
        assert found is not None
        if found.status in wanted:
            return found.status
        time.sleep(0.1)  # Ray tells nobody
    pytest.fail(f"{name} did not become one of {wanted}: {found}\n{cluster.logs(name)}")


def test_it_has_this_environments_version(jobs: Jobs) -> None:
    jobs.cluster.require_same_version()


def test_an_id_is_started_once(jobs: Jobs) -> None:
    wanted = job("echo hello", metadata={"stillhouse": "tiny"})
    jobs.cluster.submit(wanted)
    jobs.cluster.submit(wanted | {"entrypoint": "echo again"})  # joins
    jobs.let(wanted["submission_id"], status="SUCCEEDED", logs="hello\n")
    assert status_when(jobs.cluster, wanted["submission_id"], ("SUCCEEDED", "FAILED")) == "SUCCEEDED"
    log = jobs.cluster.logs(wanted["submission_id"])
    assert "hello" in log
    assert "again" not in log
    assert jobs.cluster.jobs()[wanted["submission_id"]].study == "tiny"


def test_a_job_that_nobody_started_is_not_known(jobs: Jobs) -> None:
    assert jobs.cluster.job("nobody") is None
    assert jobs.cluster.logs("nobody") == ""
    assert "nobody" not in jobs.cluster.jobs()


def test_stopping_ends_a_job_and_leaves_one_that_has_ended(jobs: Jobs) -> None:
    wanted = job("sleep 600")
    jobs.cluster.submit(wanted)
    jobs.let(wanted["submission_id"], status="RUNNING")
    status_when(jobs.cluster, wanted["submission_id"], ("RUNNING",))
    for _ in range(2):
        jobs.cluster.stop(wanted["submission_id"])
        assert status_when(jobs.cluster, wanted["submission_id"], ("STOPPED", "FAILED")) == "STOPPED"


def test_a_package_is_where_the_job_begins(jobs: Jobs) -> None:
    shipment = Shipment({"study.yaml": b"name: tiny\n", "configs/0/own.py": b"x = 1\n"})
    uri = jobs.cluster.upload(shipment.archive(), shipment.digest)
    assert jobs.cluster.upload(shipment.archive(), shipment.digest) == uri
    wanted = job("cat study.yaml configs/0/own.py; echo $COLOUR")
    jobs.cluster.submit(wanted | {"runtime_env": {"working_dir": uri, "env_vars": {"COLOUR": "green"}}})
    jobs.let(wanted["submission_id"], status="SUCCEEDED", logs="name: tiny\nx = 1\ngreen\n")
    assert status_when(jobs.cluster, wanted["submission_id"], ("SUCCEEDED", "FAILED")) == "SUCCEEDED"
    lines = jobs.cluster.logs(wanted["submission_id"]).splitlines()  # Ray writes lines of its own anywhere among them
    assert {"name: tiny", "x = 1", "green"} <= set(lines)


def test_the_token_is_wanted(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = jobs.cluster._client._transport
    for token, sentence in (("", "requires a token"), ("wrong", "refuses this token")):
        monkeypatch.setenv("RAY_AUTH_TOKEN", token)
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/no/such/file")
        with pytest.raises(UserError, match=sentence):
            RayCluster(jobs.cluster.address, transport if jobs.processes is None else None).jobs()


@pytest.mark.parametrize("resources", [None, {"worker-0": 0.01}], ids=["head", "worker"])
def test_the_driver_runs_on_the_head_or_where_its_resource_is(
    real: RayProcesses, monkeypatch: pytest.MonkeyPatch, resources: dict[str, float] | None
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", real.token)
    cluster = RayCluster(real.address)
    wanted = job("echo there") | ({"entrypoint_resources": resources} if resources else {})
    cluster.submit(wanted)
    assert status_when(cluster, wanted["submission_id"], ("SUCCEEDED", "FAILED")) == "SUCCEEDED"
    where = real.ask(f"/api/jobs/{wanted['submission_id']}")["driver_node_id"]
    assert where in real.alive()
    assert (where == real.head()) is (resources is None)
