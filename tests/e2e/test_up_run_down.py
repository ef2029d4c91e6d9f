"""Ray's own launcher brings a cluster up, a study runs on it, its results come here, and nothing is left running."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.api import Study
from orchestrator.clusters.description import Cluster
from orchestrator.clusters.files import launcher_of
from orchestrator.clusters.launcher import Launcher
from orchestrator.clusters.session import ON_THE_HEAD, ClusterSession
from orchestrator.core.store import Store
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.states import SubmissionState
from tests.contract.mlflow_server import free_port
from tests.e2e.process_provider import started_in
from tests.e2e.stillhouse import stillhouse
from tests.unit.orchestrator.clusters.described import cluster

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(sys.executable).parents[1]


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sh-up-", dir="/tmp"))  # sockets below it need a short path
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_ADDRESS"):
        monkeypatch.setenv(name, "")
    (folder / "provider").mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def one_machine(folder: Path) -> Cluster:
    """Return a cluster whose head takes trials too: the machines of this test are all the same one."""
    storage = {"kind": "folder", "path": str(folder / "shared")}
    return cluster("machines", image=None, environment_folder=str(ENVIRONMENT), storage=storage)


def on_processes(launcher: Launcher, folder: Path) -> Launcher:
    """Let the launcher's file start processes here: other machines, other ports, CPUs on the head, no `ray stop`."""
    content = yaml.safe_load(launcher.file.read_text())
    dashboard = free_port()
    content["provider"] = {
        "type": "external",
        "module": "tests.e2e.process_provider.ProcessProvider",
        "folder": str(folder / "provider"),
        "dashboard_port": dashboard,
    }
    content["available_node_types"] = {"head": {"resources": {"CPU": 2}, "node_config": {}, "max_workers": 0}}
    content |= {"head_node_type": "head", "max_workers": 0, "auth": {}}
    # Ray fills these in for the providers that it brings, not for a strange one.
    for name in (
        "head_setup_commands",
        "worker_setup_commands",
        "cluster_synced_files",
        "rsync_exclude",
        "rsync_filter",
    ):
        content.setdefault(name, [])
    content |= {"docker": {}, "file_mounts_sync_continuously": False}
    ports = f"--port={free_port()} --dashboard-port={dashboard} --ray-client-server-port={free_port()}"
    ports += f" --dashboard-agent-listen-port={free_port()} --dashboard-agent-grpc-port={free_port()}"
    ports += f" --temp-dir={folder}/ray --node-ip-address=127.0.0.1 --disable-usage-stats"
    start = content["head_start_ray_commands"][1]
    content["head_start_ray_commands"] = [start.replace("--port=6379", ports).replace("--num-cpus=0", "--num-cpus=2")]
    launcher.file.write_text(yaml.safe_dump(content))
    return launcher


def require_done(
    described: Cluster, job_request: JobRequest, store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> str:
    """Run the job request to its end on a cluster that leaves nothing behind, and return what was said on stderr."""
    launcher = on_processes(launcher_of(described, store), folder)
    try:
        end = ClusterSession(described, job_request, store).run(launcher)
    finally:
        log = launcher.log.read_text()
        left = started_in(folder / "provider" / "m0")
    said = capfd.readouterr().err
    assert end.state == SubmissionState.FINISHED, (end.reason, log[-3000:], said[-3000:])
    assert left == []
    return said


@pytest.mark.slow
def test_study_runs_on_a_cluster_that_comes_and_goes(machines, tiny_study, tmp_path, capfd):
    described, store = one_machine(machines), Store(tmp_path / "here")
    store.prepare()
    job_request = Study.load(tiny_study).job_request(
        described.store, variables=described.environment | {"PYTHONPATH": str(ROOT)}, resources=ON_THE_HEAD
    )
    require_done(described, job_request, store, machines, capfd)
    plan = stillhouse("plan", tiny_study, "--store", store.root, "--json").json
    assert {trial["status"] for trial in plan["trials"]} == {"finished"}
    assert json.loads((store.trial_dir(plan["trials"][0]["id"]) / "outcome.json").read_text())["status"] == "finished"
