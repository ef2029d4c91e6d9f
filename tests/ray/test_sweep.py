"""Real Ray Tune over scripted trials: early stopping, crashes, failures, and what is left on disk."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from tests.ray.scripted import SCRIPT, ScriptedRunner
from trainers.schema.events import read_events
from trainers.schema.record import Outcome, read_history, read_outcome

pytestmark = pytest.mark.usefixtures("local_ray")

ROOT = Path(__file__).resolve().parents[2]
STUDY = """
name: scripted
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search: {seeds: [0, 1, 2, 3]}
"""
ASHA = ["search.scheduler={kind: asha, grace_epochs: 1, reduction_factor: 2}", "scaling.max_concurrent=1"]


class Events:
    """Remember what a sweep told its watcher."""

    def __init__(self) -> None:
        self.epochs: dict[str, list[int]] = {}
        self.over: list[str] = []

    def started(self, trial_id: str) -> None:
        self.epochs.setdefault(trial_id, [])

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        self.epochs[trial_id].append(result["epoch"])

    def ended(self, trial_id: str) -> None:
        self.over.append(trial_id)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def plan_of(study: Path, *sets: str) -> Plan:
    return make_plan(load_study(study, sets), Store(study.parent / "store"))


def write_scripts(plan: Plan, scripts: list[dict[str, Any]]) -> None:
    for trial, script in zip(plan.students, scripts, strict=True):
        trial.directory.mkdir(parents=True)
        (trial.directory / SCRIPT).write_text(json.dumps(script))


def sweep(plan: Plan, tmp_path: Path) -> Events:
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials

    events = Events()
    run_trials(Sweep(plan), plan.students, [events], tmp_path / "tune", ScriptedRunner)
    return events


@pytest.mark.smoke
def test_asha_stops_the_weak_by_our_epochs_and_says_so(study: Path, tmp_path: Path) -> None:
    plan = plan_of(study, *ASHA)
    strong, weak = [0.5, 0.6, 0.7, 0.8], [0.1, 0.1, 0.1, 0.1]
    write_scripts(plan, [{"scores": strong}, {"scores": weak}, {"scores": strong}, {"scores": weak}])
    events = sweep(plan, tmp_path)
    outcomes = [read_outcome(trial.directory) for trial in plan.students]
    assert [outcome.status for outcome in outcomes if outcome] == ["finished", "stopped", "finished", "stopped"]
    assert outcomes[1] is not None
    assert outcomes[1].reason == "stopped by the scheduler after epoch 1"
    assert [events.epochs[trial.id] for trial in plan.students] == [[1, 2, 3, 4], [1], [1, 2, 3, 4], [1]]
    assert sorted(events.over) == sorted(trial.id for trial in plan.students)


def test_a_dead_process_costs_nothing_that_was_reported(study: Path, tmp_path: Path) -> None:
    plan = plan_of(study)
    scores = [0.1, 0.2, 0.3, 0.4]
    dies = {"scores": scores, "dies_before": 3}
    write_scripts(
        plan, [dies, {"scores": scores}, {**dies, "deaths": 99}, {**dies, "fails_before": 2, "dies_before": 9}]
    )
    sweep(plan, tmp_path)
    recovered, untouched, hopeless, failed = plan.students
    assert read_history(recovered.directory) == read_history(untouched.directory)
    assert read_outcome(recovered.directory) == read_outcome(untouched.directory)
    outcome = read_outcome(hopeless.directory)
    assert outcome is not None
    assert outcome.status == "failed"
    assert outcome.reason.startswith("worker lost 6 times")
    assert (hopeless.directory / "deaths").read_text() == "6"
    assert [event.kind for event in read_events(hopeless.directory)] == ["worker lost"] * 6
    assert [event.action for event in read_events(recovered.directory)] == ["restart from the last state"]
    assert len(read_history(hopeless.directory)) == 2
    outcome = read_outcome(failed.directory)
    assert outcome is not None
    assert (outcome.status, outcome.reason) == ("failed", "the disk of the teacher is on fire")
    assert "TrialError" in (failed.directory / "error.txt").read_text()


def test_out_of_memory_is_answered_by_half_the_micro_batch(study: Path, tmp_path: Path) -> None:
    plan = plan_of(study, "search.seeds=[0, 1]", "schedule.batch_size=8")
    scores = [0.1, 0.2]
    write_scripts(plan, [{"scores": scores, "memory": 2}, {"scores": scores, "memory": 0}])
    sweep(plan, tmp_path)
    fits, hopeless = plan.students
    assert read_outcome(fits.directory) == Outcome("finished")
    assert [event.details for event in read_events(fits.directory)] == [{"micro_batch": 4}, {"micro_batch": 2}]
    outcome = read_outcome(hopeless.directory)
    assert outcome is not None
    assert outcome.status == "failed"
    assert outcome.reason.startswith("out of memory 4 times")  # with 8, 4, 2 images and with one


def test_a_trial_without_room_fails_after_its_deadline_and_says_what_there_is(study: Path, tmp_path: Path) -> None:
    plan = plan_of(study, "search.seeds=[0, 1]", "scaling.start_timeout_s=3")
    roomless = replace(plan, resources=replace(plan.resources, cpus_per_worker=1000))
    write_scripts(roomless, [{"scores": [0.1]}, {"scores": [0.1]}])
    sweep(roomless, tmp_path)
    for trial in roomless.students:
        outcome = read_outcome(trial.directory)
        assert outcome is not None
        assert outcome.status == "failed"
        assert outcome.reason.startswith("not started after 3 s: waited for a machine with 1000 CPUs")
        assert f"{cpus()} CPUs" in outcome.reason


def cpus() -> int:
    from orchestrator.plan.machine import this_machine

    return this_machine().cpus


def test_the_driver_of_a_sweep_needs_no_torch() -> None:
    assert "orchestrator.execution.tune" in sys.modules
    import subprocess

    code = "import sys, orchestrator.execution.tune, orchestrator.execution.run; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_a_dead_address_is_told_at_once(address: str) -> None:
    from orchestrator.core.errors import OperationError
    from orchestrator.execution.ray_cluster import require_listener

    with pytest.raises(OperationError, match=f"no Ray cluster can be reached at {address}"):
        require_listener(address)
    require_listener("auto")
