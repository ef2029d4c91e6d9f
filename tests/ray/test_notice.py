"""A machine that will be taken away: its trials save their states and go on elsewhere, before it goes."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import ray
from ray._private.state import available_resources_per_node
from ray.cluster_utils import Cluster

from orchestrator.core.store import Store
from orchestrator.execution.ray_cluster import cluster as whole_cluster
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.tune import run_trials
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from tests.ray.ranks import go_on, hold, noted_ranks
from tests.ray.test_nodes import nodes, until  # noqa: F401  a fixture
from trainers.schema.events import read_events
from trainers.schema.record import read_history, read_outcome
from trainers.schema.stop import must_move

EPOCHS = 60
TINY = Path(__file__).resolve().parents[1] / "unit" / "trainers" / "tiny_gfl.py"
STUDY = f"""
name: notice
dataset: {{kind: shapes, train_images: 16, val_images: 2, image_size: [64, 64]}}
student: {{config: "{TINY}", weights: random}}
method: {{kind: none}}
schedule: {{epochs: {EPOCHS}, batch_size: 1, policy: {{kind: constant}}, lr: 0.0001}}
scaling: {{gpus_per_worker: 0, cpus_per_worker: 1, max_concurrent: 1}}
"""
TWO = ("search.space={schedule.lr: [0.0001, 0.0002]}", "search.cohort=2")
LONG_S = 600  # that the machine stays: nothing but the notice moves the trials


def plan_in(folder: Path, *sets: str) -> Plan:
    (folder / "study.yaml").write_text(STUDY)
    loaded = load_study(folder / "study.yaml", sets, trust_python=True)
    return make_plan(loaded, Store(folder / "store"), whole_cluster())


def give_notice(node_id: str) -> None:
    """Tell Ray that a machine will go, as a provider's agent does."""
    words = ("drain-node", "--address", ray.get_runtime_context().gcs_address, "--node-id", node_id)
    reason = ("--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "taken away")
    done = subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", *words, *reason, "--deadline-remaining-seconds", str(LONG_S)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def busy() -> set[str]:
    """Return the machines whose CPU is taken; a machine of the test has one, its head none."""
    free = available_resources_per_node()
    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    return {node["NodeID"] for node in alive if not free.get(node["NodeID"], {}).get("CPU")}


GROUP_STARTS_S = 480.0  # on a busy machine: two processes for each worker, each of which imports torch
RANKED = {"loop": "tests.ray.ranked_loop"}
GROUP_EPOCHS = 4
GROUP = ("scaling.workers=2", "schedule.batch_size=2", f"schedule.epochs={GROUP_EPOCHS}", *TWO)


@pytest.mark.parametrize("sets", [(), pytest.param(TWO, marks=pytest.mark.slow)], ids=["alone", "side by side"])
def test_notice_moves_trials_before_their_machine_goes(
    nodes: Cluster,  # noqa: F811
    tmp_path: Path,
    sets: tuple[str, ...],
) -> None:
    plan = plan_in(tmp_path, *sets)
    sweep = threading.Thread(target=run_trials, args=(Sweep(plan), plan.students, [], tmp_path / "tune"))
    sweep.start()
    until(lambda: all(len(read_history(trial.directory)) > 1 for trial in plan.students))
    [first] = busy()
    give_notice(first)
    until(lambda: all(read_events(trial.directory) for trial in plan.students))
    until(lambda: busy() and first not in busy())
    sweep.join()
    require_moved_once(plan, EPOCHS)


def require_moved_once(plan: Plan, epochs: int) -> None:
    """Require that each trial has gone on once after the notice, and lost or repeated no epoch."""
    for trial in plan.students:
        outcome = read_outcome(trial.directory)
        assert outcome is not None
        assert outcome.status == "finished"
        assert [event.kind for event in read_events(trial.directory) if event.run] == ["preempted"]
        assert [record.epoch for record in read_history(trial.directory)] == list(range(1, epochs + 1))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_notice_for_one_of_a_groups_machines_moves_the_whole_group(
    nodes: Cluster,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Of two workers on two machines rank 1 gets the notice; rank 0, which looks for requests, has a machine that stays."""
    plan = plan_in(tmp_path, *GROUP)
    first, _ = plan.students
    hold(first.directory)
    words = (Sweep(plan), plan.students, [], tmp_path / "tune")
    sweep = threading.Thread(target=run_trials, args=words, kwargs=RANKED, daemon=True)  # a failed test leaves it
    sweep.start()
    until(lambda: read_history(first.directory), GROUP_STARTS_S)
    [[stays, leaves]] = noted_ranks(first.directory)
    joined = nodes.add_node(num_cpus=1, num_gpus=1).node_id  # where the group can go on
    give_notice(leaves)
    until(lambda: all(must_move(trial.directory) for trial in plan.students))
    go_on(first.directory)
    sweep.join()
    require_moved_once(plan, GROUP_EPOCHS)
    assert stays != leaves
    for trial in plan.students:
        before, after = noted_ranks(trial.directory)
        assert before == [stays, leaves]
        assert set(after) == {stays, joined}
