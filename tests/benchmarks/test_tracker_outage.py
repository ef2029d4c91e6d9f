"""Measure what a tracking store that is away costs training, and how fast a spool is drained afterwards."""

import math
import os
import statistics
import time
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.flusher import Flusher
from orchestrator.tracking.tracker import Tracker
from tests.contract.mlflow_server import MlflowServer
from tests.contract.postgres import postgres
from tests.contract.test_tracking import SMALL, leave, per_epoch, runs_in, without_best
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import Outcome, Record, read_history, write_outcome
from trainers.state.checkpoints import TrialFiles

PAIRS = int(os.environ.get("STILLHOUSE_PAIRS", "16"))
EPOCHS, STEPS = 12, 12
POINTS = 40_000


def train(trial: PlannedTrial, flusher: Flusher | None) -> float:
    """Train a small network, committing each epoch as a trial does; return the seconds that it took."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.ReLU(), torch.nn.Conv2d(32, 32, 3))
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    images = torch.rand(8, 3, 48, 48)
    files, history = TrialFiles(trial.directory), []
    began = time.perf_counter()
    for epoch in range(1, EPOCHS + 1):
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = net(images).square().mean()
            loss.backward()
            optimizer.step()
        metrics = {f"loss/{number}": loss.item() for number in range(30)}
        history.append(Record(epoch, epoch * STEPS, metrics, {}, 1.7e9 + epoch, final=epoch == EPOCHS))
        files.commit({"step": epoch * STEPS, "net": net.state_dict()}, history)
        if flusher:
            flusher.reported(trial.id, {})
    return time.perf_counter() - began


def plan_of(folder: Path, address: str, name: str) -> tuple[Plan, Store]:
    store = Store(folder / name)
    store.prepare()
    return plan_text(
        folder, VALID, *SMALL, f"tracking.uri={address}", f"tracking.experiment={name}", store=store.root
    ), store


def bound_95(ratios: list[float]) -> tuple[float, float]:
    """Return the geometric mean of ratios and the upper 95 % bound of it (one-sided, normal)."""
    logs = [math.log(ratio) for ratio in ratios]
    mean, error = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean + 1.645 * error)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_training_with_the_tracker_down_takes_as_long_as_without_tracking(tmp_path: Path, kind: str) -> None:
    torch.set_num_threads(1)
    if kind == "postgresql":
        with postgres() as database:
            measure(tmp_path, MlflowServer(tmp_path / "server", database))
    else:
        measure(tmp_path, MlflowServer(tmp_path / "server"))


def measure(tmp_path: Path, server: MlflowServer) -> None:
    """Train in interleaved pairs with the server down for the whole run; then start it and count what arrives."""
    ratios: list[float] = []
    tracked: list[tuple[Plan, Flusher]] = []
    train(plan_of(tmp_path, server.address, "warm-up")[0].students[0], None)
    for pair in range(PAIRS):
        times = {}
        for name in ("alone", "tracked") if pair % 2 else ("tracked", "alone"):
            plan, store = plan_of(tmp_path, server.address, f"{name}-{pair}")
            flusher = Flusher(Tracker(plan, store), plan.students[:1]) if name == "tracked" else None
            times[name] = train(plan.students[0], flusher)
            write_outcome(plan.students[0].directory, Outcome("finished"))
            if flusher:
                tracked.append((plan, flusher))
        ratios.append(times["tracked"] / times["alone"])
        if pair < PAIRS - 1:
            assert not tracked[-1][1].close(wait_s=0).complete
    mean, bound = bound_95(ratios)
    try:
        server.start()
        assert tracked[-1][1].close(wait_s=60).complete
        plan = tracked[-1][0]
        client = MlflowClient(tracking_uri=server.address)
        [run] = [run for run in runs_in(client, plan.study.tracking.experiment) if "stillhouse.trial" in run.data.tags]
        found = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
        points = {key: [(metric.step, metric.value) for metric in metrics] for key, metrics in found.items()}
        assert without_best(points) == per_epoch(read_history(plan.students[0].directory))
    finally:
        server.kill()
    print(f"\ntracker down / no tracking: {mean:.3f}, upper 95 % bound {bound:.3f} ({len(ratios)} pairs)")
    assert mean < 1.5


@pytest.mark.parametrize("kind", ["server on sqlite", "server on postgresql", "sqlite"])
def test_a_spool_is_drained_fast(tmp_path: Path, kind: str) -> None:
    if kind == "server on postgresql":
        with postgres() as database:
            drain(tmp_path, kind, MlflowServer(tmp_path / "server", database))
    else:
        drain(tmp_path, kind, MlflowServer(tmp_path / "server") if kind != "sqlite" else None)


def drain(tmp_path: Path, kind: str, server: MlflowServer | None) -> None:
    """Deliver one trial of many points after an outage."""
    address = server.address if server else f"sqlite:///{tmp_path / 'mlflow.db'}"
    plan, store = plan_of(tmp_path, address, "drain")
    keys = 38
    history = [
        Record(
            epoch,
            epoch,
            {f"loss/{key}": epoch / (key + 1) for key in range(keys)},
            {"time/train_s": 1.0},
            1.7e9 + epoch,
        )
        for epoch in range(1, POINTS // (keys + 2) + 1)
    ]
    leave(plan.students[0], history)
    try:
        if server:
            server.start()
        tracker = Tracker(plan, store)
        tracker.connect()
        began = time.perf_counter()
        assert Flusher(tracker, plan.students[:1]).close().complete
        seconds = time.perf_counter() - began
    finally:
        if server:
            server.kill()
    print(f"\n{kind}: {tracker.sent} points in {seconds:.1f} s: {tracker.sent / seconds:.0f} points/s")
    assert tracker.sent == POINTS
