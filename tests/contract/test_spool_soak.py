"""Thousands of points through a bad network, by processes that are killed: each arrives once and in order."""

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from tests.contract.faulty_proxy import FaultyProxy
from tests.contract.mlflow_server import MlflowServer
from tests.contract.postgres import postgres
from tests.contract.test_tracking import SMALL, leave, logged, per_epoch, runs_in, without_best
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import SELECTION_METRIC, Outcome, Record

ROOT = Path(__file__).resolve().parents[2]
SCALE = int(os.environ.get("STILLHOUSE_SOAK", "1"))  # how many times longer than in CI
LIVES, EPOCHS, KEYS = 6, 80, 12
FAULTY_SHARE = 0.12


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MlflowServer]:
    with ExitStack() as stack:
        database = stack.enter_context(postgres()) if request.param == "postgresql" else None
        server = MlflowServer(tmp_path / "server", database)
        stack.callback(server.kill)
        server.start()
        yield server


def history_of(seed: int, epochs: int) -> list[Record]:
    """Return a trial's records; some metrics are missing in some epochs, one appears late."""
    chance = random.Random(seed)
    history = []
    for epoch in range(1, epochs + 1):
        metrics = {f"loss/{number}": chance.random() for number in range(KEYS) if chance.random() < 0.9}
        late = {"ratio/late": chance.random()} if epoch > epochs // 2 else {}
        scores = {SELECTION_METRIC: chance.random()} if epoch % 5 == 0 else {}
        history.append(Record(epoch, epoch, {**metrics, **late, **scores}, {"time/train_s": 1.5}, 1.7e9 + epoch))
    return history


def write_slowly(plan: Plan, histories: list[list[Record]], stop: threading.Event) -> None:
    """Let all trials grow side by side, as training would, and end."""
    epochs = len(histories[0])
    for epoch in range(1, epochs + 1):
        for trial, history in zip(plan.trials, histories, strict=True):
            leave(trial, history[:epoch], Outcome("finished") if epoch == epochs else None)
        stop.wait(0.05)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SCALE))
def test_every_point_arrives_once_and_in_order(server: MlflowServer, tmp_path: Path, seed: int) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    with FaultyProxy(server.port, FAULTY_SHARE, seed) as proxy:
        sets = (*SMALL, f"tracking.uri={proxy.address}")
        plan = plan_text(tmp_path, VALID, *sets, store=store.root)
        histories = [history_of(seed * 100 + number, EPOCHS) for number in range(len(plan.trials))]
        stop = threading.Event()
        writer = threading.Thread(target=write_slowly, args=(plan, histories, stop))
        writer.start()
        try:
            killed = flush(tmp_path / "study.yaml", store, seed, sets, LIVES)
        finally:
            stop.set()
            writer.join()
        flush(tmp_path / "study.yaml", store, seed + 1, sets, 0)
    assert killed >= 3
    assert sum(proxy.met.values()) >= 10, proxy.met
    client = MlflowClient(tracking_uri=server.address)
    active = [run for run in runs_in(client) if run.info.lifecycle_stage == "active"]
    assert len(active) == 1 + len(plan.trials)
    points = 0
    for trial, history in zip(plan.trials, histories, strict=True):
        found = without_best(logged(client, trial))
        assert found == per_epoch(history)
        points += sum(map(len, found.values()))
    assert {run.info.status for run in active} == {"FINISHED"}
    print(f"soak: {points} points, faults {proxy.met}, killed {killed}")


def flush(study: Path, store: Store, seed: int, sets: tuple[str, ...], lives: int) -> int:
    """Flush in processes that are killed and in a last one that is not; return how many were killed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.mortal_flusher", study, store.root, str(seed), str(lives), *sets],
        cwd=ROOT,
        env={**os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["complete"], done.stderr
    return int(answer["killed"])
