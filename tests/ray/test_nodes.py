"""Several nodes with logical CPUs and GPUs on one machine: placement, the loss of a node, a node that joins."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from orchestrator.core.store import Store
from orchestrator.execution.ray_cluster import cluster as whole_cluster
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.tune import run_trials
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from tests.ray.on_nodes import HOLD, RunnerOnNode, starts
from tests.ray.scripted import SCRIPT
from trainers.schema.events import read_events
from trainers.schema.record import read_history, read_outcome

ROOT = Path(__file__).resolve().parents[2]
STUDY = """
name: nodes
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search: {seeds: [0, 1]}
scaling: {gpus_per_worker: 1, cpus_per_worker: 1}
"""
SCORES = [0.1, 0.2, 0.3, 0.4]
PATIENCE_S = 60
NODE = {"num_cpus": 1, "num_gpus": 1}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head without CPUs and two nodes with a GPU each; this process is the driver, on the head."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0})
    try:
        for _ in range(2):
            found.add_node(**NODE)
        ray.init(found.address, logging_level="ERROR", log_to_driver=False)
        found.wait_for_nodes()
        yield found
    finally:
        ray.shutdown()
        found.shutdown()


def plan_of(tmp_path: Path, *sets: str, script: dict[str, Any]) -> Plan:
    """Plan for the cluster that is there, and give each trial its script."""
    (tmp_path / "study.yaml").write_text(STUDY)
    plan = make_plan(load_study(tmp_path / "study.yaml", sets), Store(tmp_path / "store"), whole_cluster())
    for trial in plan.students:
        trial.directory.mkdir(parents=True)
        (trial.directory / SCRIPT).write_text(json.dumps(script))
    return plan


def run(plan: Plan, tmp_path: Path) -> None:
    run_trials(Sweep(plan), plan.students, [], tmp_path / "tune", RunnerOnNode)


def until(happened: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    """Wait for something that trials tell nobody but Tune."""
    deadline = time.monotonic() + patience_s
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_each_trial_gets_a_gpu_of_its_own_and_none_runs_on_the_head(nodes: Cluster, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, script={"scores": SCORES, "epoch_s": 0.3})
    assert plan.resources.concurrent == 2
    for trial in plan.students:
        (trial.directory / HOLD).touch()  # or one could end before the other's process has come up
    sweep = threading.Thread(target=run, args=(plan, tmp_path))
    sweep.start()
    until(lambda: all(starts(trial.directory) for trial in plan.students))
    for trial in plan.students:
        (trial.directory / HOLD).unlink()
    sweep.join()
    first, second = (starts(trial.directory) for trial in plan.students)
    assert len(first) == len(second) == 1
    assert first != second
    assert nodes.head_node.node_id not in first + second  # type: ignore[attr-defined]


def test_trials_of_a_node_that_is_lost_go_on_elsewhere_and_a_node_that_joins_is_used(
    nodes: Cluster, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, "search.seeds=[0, 1, 2, 3]", script={"scores": SCORES, "epoch_s": 0.5})
    first, second = plan.students[:2]
    (second.directory / HOLD).touch()  # or its node would do all the work before another has joined
    sweep = threading.Thread(target=run, args=(plan, tmp_path))
    sweep.start()
    until(lambda: read_history(first.directory))
    [node] = [one for one in nodes.worker_nodes if one.node_id == starts(first.directory)[0]]
    nodes.remove_node(node, allow_graceful=False)
    joined = nodes.add_node(**NODE).node_id  # a thread could not: Ray sets signal handlers
    until(lambda: len(starts(first.directory)) == 2)
    (second.directory / HOLD).unlink()
    sweep.join()
    for trial in plan.students:
        outcome = read_outcome(trial.directory)
        assert outcome is not None
        assert (outcome.status, [record.epoch for record in read_history(trial.directory)]) == (
            "finished",
            [1, 2, 3, 4],
        )
    lost, again = starts(first.directory)
    assert (lost, again) == (node.node_id, joined)
    assert [event.kind for event in read_events(first.directory)] in (["worker lost"], ["preempted"])
