"""Phases of learning rates follow the rates that training has, and schedulers compare trials at equal ones."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.plan.least import least
from orchestrator.plan.phases import _spent, epoch_alike, first_epoch_at
from orchestrator.search.schedule import make_scheduler
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.search.simulated import Killed, Simulation
from tests.unit.orchestrator.study_text import findings_of, write
from trainers.loop.optimise import build_schedulers
from trainers.schema.schedule import Schedule


def schedule(epochs: int, policy: dict[str, Any], **more: Any) -> Schedule:
    warmup = {"iterations": 0}
    return Schedule.model_validate({"epochs": epochs, "policy": policy, "warmup": warmup, **more}, strict=False)


def step(epochs: int, *milestones: int) -> Schedule:
    return schedule(epochs, {"kind": "step", "milestones": milestones})


def test_schedules_of_one_shape_are_alike_at_equal_shares() -> None:
    for long, short in (
        (step(24, 16, 22), step(12, 8, 11)),
        (schedule(24, {"kind": "constant"}), schedule(12, {"kind": "constant"})),
    ):
        assert [epoch_alike(long, short, epoch) for epoch in range(0, 25, 2)] == list(range(13))
        assert [epoch_alike(short, long, epoch) for epoch in range(13)] == list(range(0, 25, 2))


def test_an_earlier_milestone_spends_the_rates_earlier() -> None:
    early, usual = step(12, 6), step(12, 8, 11)
    # Of early 6 / (6 + 0.6) at epoch 6; of usual that is 7.5545 of 8 + 0.3 + 0.01.
    assert epoch_alike(early, usual, 6) == pytest.approx(6 / 6.6 * 8.31)
    assert first_epoch_at(early, usual, 4.0) == 4  # at 3 it has 3.78 of them, at 4 it has 5.04
    assert first_epoch_at(step(24, 16, 22), usual, 4.0) == 8
    assert epoch_alike(early, usual, 12) == 12.0


@pytest.mark.parametrize(
    "found",
    [
        step(12, 8, 11),
        schedule(12, {"kind": "cosine", "final_factor": 0.1}),
        schedule(12, {"kind": "cosine", "begin": 4}),
        schedule(12, {"kind": "cosine"}, closing_epochs=3),
        schedule(12, {"kind": "flat-cosine", "begin": 5, "final_factor": 0.05}),
        schedule(12, {"kind": "constant"}),
    ],
)
def test_the_rates_are_those_of_training(found: Schedule) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    steps = 40
    schedulers, sums = build_schedulers(optimizer, found, steps), [0.0]
    for _ in range(found.length):
        total = 0.0
        for _ in range(steps):
            total += optimizer.param_groups[0]["lr"]
            optimizer.step()
            for one in schedulers:
                one.step()
        sums.append(sums[-1] + total / steps)
    assert _spent(found) == pytest.approx(sums, abs=0.03)


STUDY = """
name: lengths
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 12, policy: {kind: constant}}
search:
  space: {schedule.epochs: [12, 24], schedule.lr: [0.001, 0.002]}
  scheduler: {kind: asha, grace_epochs: 4, reduction_factor: 2, rungs: phase}
"""
QUALITY = {(12, 0.001): 0.5, (12, 0.002): 0.3, (24, 0.001): 0.6, (24, 0.002): 0.2}  # AP at the end


@pytest.mark.parametrize("kind", ["asha", "pasha"])
def test_a_long_trial_is_compared_at_its_own_pace_after_any_kill(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)

    def run(folder: Path, rungs: str, on_disk: dict[str, int], kill_at: int | None = None) -> dict[Any, int]:
        folder.mkdir(exist_ok=True)
        rule = f"search.scheduler={{kind: {kind}, grace_epochs: 4, reduction_factor: 2, rungs: {rungs}}}"
        plan = plan_text(folder, STUDY, rule)
        keys = {trial.id: tuple(trial.params.values()) for trial in plan.students}
        scores = {
            trial.id: [QUALITY[keys[trial.id]] * epoch / trial.spec.schedule.length for epoch in range(1, trial.spec.schedule.length + 1)]  # type: ignore[index]
            for trial in plan.students
        }  # fmt: skip
        simulation = Simulation(
            make_scheduler(plan, plan.students), scores, on_disk, plan.students[0].directory.parent, 4
        )
        simulation.run(kill_at)
        return {keys[name]: epochs for name, epochs in simulation.stopped.items()}

    expected = run(tmp_path / "phase", "phase", {})
    assert expected[24, 0.001] == 24  # the best, and at each epoch behind both short ones
    assert min(expected[24, 0.002], 8) == 8  # no rung before the phase that a short trial has at epoch 4
    assert expected != run(tmp_path / "epoch", "epoch", {})
    on_disk = dict[str, int]()
    for _ in range(6):
        with pytest.raises(Killed):
            run(tmp_path / "killed", "phase", on_disk, kill_at=3)
    assert run(tmp_path / "killed", "phase", on_disk) == expected


def test_the_plan_counts_rungs_at_phases_and_the_default_names_no_log_anew(tmp_path: Path) -> None:
    phase = plan_text(tmp_path, STUDY)
    epoch = plan_text(tmp_path, STUDY, "search.scheduler.rungs=epoch")
    found = [least(plan) for plan in (phase, epoch)]
    assert found[0] is not None
    assert found[1] is not None
    assert (found[0].steps or 0) > (found[1].steps or 0)  # to epoch 8 of the long ones, not to epoch 4
    assert "rungs" not in epoch.study.search.scheduler.model_dump(mode="json")
    assert phase.search_log != epoch.search_log


def test_a_schedule_without_epochs_has_no_phase_by_epochs(tmp_path: Path) -> None:
    text = STUDY.replace("epochs: 12, policy", "epochs: null, iterations: 100, policy").replace(
        "schedule.epochs: [12, 24], ", ""
    )
    errors = [found for found in findings_of(write(tmp_path, text)) if found[0] == "error"]
    [(_, where, message)] = errors
    assert where == "study.yaml:6: schedule.epochs"
    assert message == "rungs: phase counts epochs, and this schedule has none: give epochs, or rungs: epoch"
