"""An elastic trial whose machines leave and join: one worker, two, one again, and each epoch once."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util import placement_group, remove_placement_group
from ray.util.placement_group import PlacementGroup

from orchestrator.core.store import Store
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.tune import run_trials
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from orchestrator.worker_groups.pool import RESIZE_EVERY_S
from tests.ray.ranks import go_on, hold, noted_pids, noted_ranks
from tests.ray.test_nodes import PATIENCE_S, nodes, until  # noqa: F401  a fixture
from tests.ray.test_notice import GROUP_STARTS_S, STUDY, busy, give_notice
from trainers.schema.events import read_events
from trainers.schema.record import read_history, read_outcome
from trainers.schema.stop import must_move

# The numbers, the pool and the broker have quick tests, in tests/processes and tests/unit.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # up to three groups start, one after the other
EPOCHS, STEPS = 5, 8  # of the study's 16 images two make a step, whatever the number of workers
ELASTIC = ("scaling.workers={min: 1, max: 2}", "schedule.batch_size=2", f"schedule.epochs={EPOCHS}")
NODE = {"num_cpus": 1, "num_gpus": 1}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Return a plan of one trial, which waits after its next new epoch until ``go_on``."""
    (tmp_path / "study.yaml").write_text(STUDY)
    loaded = load_study(tmp_path / "study.yaml", ELASTIC, trust_python=True)
    found = make_plan(loaded, Store(tmp_path / "store"), Machine(2, 0))
    hold(found.students[0].directory)
    return found


def begin(plan: Plan, folder: Path) -> threading.Thread:
    """Run the plan in a thread, as on a cluster whose machines come and go."""
    options = {"loop": "tests.ray.ranked_loop", "room": lambda: 1}
    words = (Sweep(plan), plan.students, [], folder / "tune")
    sweep = threading.Thread(target=run_trials, args=words, kwargs=options, daemon=True)  # a failed test leaves it
    sweep.start()
    return sweep


def until_trained_with(workers: int, plan: Plan) -> None:
    """Wait until the trial has closed an epoch with so many workers."""
    directory = plan.students[0].directory
    until(lambda: any(record.workers == workers for record in read_history(directory)), GROUP_STARTS_S)
    assert workers in [record.workers for record in read_history(directory)]


def until_reserved(taken: Callable[[], bool]) -> None:
    """Wait until the pool has reserved what came free, and has told the group to grow after its epoch."""
    until(taken)
    assert taken()
    time.sleep(2 * RESIZE_EVERY_S)


def require_whole(plan: Plan, *failures: str) -> list[str]:
    """Require that the trial has ended with each epoch once, and had one of these failures; return its changes of size."""
    [trial] = plan.students
    history, outcome = read_history(trial.directory), read_outcome(trial.directory)
    assert outcome is not None
    assert outcome.status == "finished"
    assert [record.epoch for record in history] == list(range(1, EPOCHS + 1))
    assert [record.step for record in history] == [record.epoch * STEPS for record in history]
    events = read_events(trial.directory)
    assert [event.kind for event in events if event.kind != "resized"] in [[failure] for failure in failures]
    return [event.action for event in events if event.kind == "resized"]


def tenant() -> PlacementGroup:
    """Take a CPU, as another trial does, once there is one."""
    return placement_group([{"CPU": 1}])


def test_a_trial_takes_the_room_that_others_leave_and_goes_on_with_less(
    local_ray: None, plan: Plan, tmp_path: Path
) -> None:
    del local_ray
    [trial] = plan.students
    free = int(ray.available_resources()["CPU"])
    tenants = [tenant() for _ in range(free - 1)]
    assert all(each.wait(PATIENCE_S) for each in tenants)
    sweep = begin(plan, tmp_path)
    until_trained_with(1, plan)
    remove_placement_group(tenants.pop())
    until_reserved(lambda: not ray.available_resources().get("CPU"))
    go_on(trial.directory)
    until(lambda: len(noted_ranks(trial.directory)) == 2, GROUP_STARTS_S)
    hold(trial.directory)
    until_trained_with(2, plan)
    tenants.append(tenant())
    os.kill(noted_pids(trial.directory)[1], signal.SIGKILL)
    assert tenants[-1].wait(PATIENCE_S)
    go_on(trial.directory)
    sweep.join()
    assert [len(ranks) for ranks in noted_ranks(trial.directory)] == [1, 2, 1]
    assert require_whole(plan, "worker lost") == ["go on with 2 workers", "go on with 1 worker"]
    for each in tenants:
        remove_placement_group(each)


def test_notice_makes_a_group_smaller_and_a_machine_that_joins_makes_it_larger(
    nodes: Cluster,  # noqa: F811
    plan: Plan,
    tmp_path: Path,
) -> None:
    """The notice is for rank 1's machine: rank 0, which looks for requests, has a machine that stays."""
    [trial] = plan.students
    sweep = begin(plan, tmp_path)
    until_trained_with(2, plan)
    [[stays, leaves]] = noted_ranks(trial.directory)
    give_notice(leaves)
    until(lambda: must_move(trial.directory))
    go_on(trial.directory)
    until(lambda: read_events(trial.directory))
    hold(trial.directory)
    until(lambda: len(read_history(trial.directory)) == 2, GROUP_STARTS_S)
    assert 1 < (read_history(trial.directory)[1].workers or 0) < 2  # two began the epoch, one has ended it
    joined = nodes.add_node(**NODE).node_id  # a thread could not: Ray sets signal handlers
    until_reserved(lambda: joined in busy())
    go_on(trial.directory)
    sweep.join()
    assert [set(ranks) for ranks in noted_ranks(trial.directory)] == [{stays, leaves}, {stays}, {stays, joined}]
    assert require_whole(plan, "preempted") == ["go on with 1 worker", "go on with 2 workers"]


def test_a_trial_goes_on_with_fewer_workers_when_a_machine_is_lost(
    nodes: Cluster,  # noqa: F811
    plan: Plan,
    tmp_path: Path,
) -> None:
    [trial] = plan.students
    sweep = begin(plan, tmp_path)
    until_trained_with(2, plan)
    [[stays, gone]] = noted_ranks(trial.directory)
    [lost] = [node for node in nodes.worker_nodes if node.node_id == gone]
    nodes.remove_node(lost, allow_graceful=False)
    go_on(trial.directory)
    sweep.join()
    assert noted_ranks(trial.directory)[1:] == [[stays]]
    assert require_whole(plan, "worker lost", "preempted") == ["go on with 1 worker"]
