"""The same promises over HTTP: a real MLflow server, on loopback."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.store import Store
from orchestrator.tracking.artifacts import download_student
from orchestrator.tracking.client import open_client
from orchestrator.tracking.results import COLUMNS, read_results
from orchestrator.tracking.tracker import Tracker
from tests.contract.test_tracking import SMALL, finish
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.spec.record import BEST, CONFIG

START_S = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an MLflow server on SQLite; its address is given once it answers."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ.copy(), start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)
        log.close()


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)  # nobody tells when a server begins to listen
    pytest.fail(f"the MLflow server did not start: {log.read_text()[-2000:]}")


def test_trials_are_copied_once_and_students_come_back(server: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    plan = plan_text(tmp_path, VALID, *SMALL, f"tracking.uri={server}", store=store.root)
    for number, trial in enumerate(plan.trials):
        finish(trial, 0.1 + number / 30, 0.2 + number / 30)
    for _ in range(2):
        tracker = Tracker(plan, store)
        for trial in plan.trials:
            tracker.sync(trial)
        tracker.finish()
    client = open_client(plan, store)
    results = read_results(plan, client)
    assert [result.status for result in results] == ["finished"] * len(plan.trials)
    assert [result.metrics[COLUMNS["AP"]] for result in results] == [0.2 + i / 30 for i in range(len(plan.trials))]
    assert len({result.mlflow_run_id for result in results}) == len(plan.trials)
    for result in results:
        assert [point.step for point in client.get_metric_history(result.mlflow_run_id, COLUMNS["AP"])] == [1, 2]
    folder = download_student(client, plan.trials[0].id, tmp_path)
    assert (folder / BEST).read_bytes() == (plan.trials[0].directory / BEST).read_bytes()
    assert (folder / CONFIG).exists()
    assert not store.database.exists()
