"""Bring up what ``stillhouse cluster render`` describes, with machines that are processes of this computer."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.clusters.description import Cluster
from orchestrator.clusters.files import launcher_of
from orchestrator.clusters.launcher import Launcher
from orchestrator.clusters.session import ClusterSession
from orchestrator.core.store import Store
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.states import SubmissionState
from tests.contract.mlflow_server import free_port
from tests.e2e.process_provider import started_in
from tests.unit.orchestrator.clusters.described import cluster, worker

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(sys.executable).parents[1]
# Ray fills these in for the providers that it brings, not for a strange one.
LISTS = ("head_setup_commands", "worker_setup_commands", "cluster_synced_files", "rsync_exclude", "rsync_filter")


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sh-up-", dir="/tmp"))  # sockets below it need a short path
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_ADDRESS"):
        monkeypatch.setenv(name, "")
    (folder / "provider").mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def from_zero(folder: Path, most: int = 2) -> Cluster:
    """Return a cluster at AWS whose workers start at none: a head without CPUs, up to ``most`` machines with one CPU."""
    storage = {"kind": "folder", "path": str(folder / "shared")}
    workers = [worker(cpus=1, gpus=0, min=0, max=most)]
    return cluster("aws", image=None, environment_folder=str(ENVIRONMENT), storage=storage, workers=workers)


def on_processes(launcher: Launcher, folder: Path) -> Launcher:
    """Let the launcher's file start processes here: another provider, addresses and ports, and no ``ray stop``."""
    content = yaml.safe_load(launcher.file.read_text())
    dashboard, port = free_port(), free_port()
    content["provider"] = {
        "type": "external",
        "module": "tests.e2e.process_provider.ProcessProvider",
        "folder": str(folder / "provider"),
        "dashboard_port": dashboard,
    }
    content |= {"auth": {}, "docker": {}, "file_mounts_sync_continuously": False}
    for name in LISTS:
        content.setdefault(name, [])
    head = f"--port={port} --dashboard-port={dashboard} --ray-client-server-port={free_port()}"
    head += f" --dashboard-agent-listen-port={free_port()} --dashboard-agent-grpc-port={free_port()}"
    head += f" --temp-dir={folder}/ray --node-ip-address=$MACHINE_IP --disable-usage-stats"
    worker = f":{port} --node-ip-address=$MACHINE_IP --temp-dir={folder}/$(basename $HOME)"  # a machine has a disk of its own
    _replace(content["head_start_ray_commands"], "--port=6379", head)
    _replace(content["worker_start_ray_commands"], ":6379", worker)
    launcher.file.write_text(yaml.safe_dump(content))
    return launcher


def _replace(commands: list[str], old: str, new: str) -> None:
    assert old in commands[1]
    commands[1] = commands[1].replace(old, new)


def require_done(
    described: Cluster, job_request: JobRequest, store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> str:
    """Run the job request to its end on a cluster that leaves nothing behind, and return what was said on stderr."""
    launcher = on_processes(launcher_of(described, store), folder)
    try:
        end = ClusterSession(described, job_request, store).run(launcher)
    finally:
        log = launcher.log.read_text()
        left = [number for machine in (folder / "provider").iterdir() for number in started_in(machine)]
    said = capfd.readouterr().err
    assert end.state == SubmissionState.FINISHED, (end.reason, log[-3000:], said[-3000:])
    assert left == []
    return said
