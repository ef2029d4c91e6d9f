"""A forecast of memory is made in a process of its own, on a machine without a GPU, and remembered."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.store import Store
from orchestrator.plan import memory
from orchestrator.plan.machine import Machine
from orchestrator.plan.memory import with_memory
from orchestrator.plan.plan import make_plan
from orchestrator.study.load import load_study
from trainers.schema.memory import GIB

STUDY = """
name: forecast
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.25, weights: random}
teacher: {kind: random, detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.5, weights: random}}
method: {kind: bckd}
schedule: {epochs: 4, batch_size: 64, policy: {kind: constant}}
"""


def test_a_plan_for_a_gpu_has_a_forecast_and_the_next_one_remembers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_memory", lambda key: tmp_path / "cache" / f"{key}.json")
    (tmp_path / "study.yaml").write_text(STUDY)
    loaded, store = load_study(tmp_path / "study.yaml", []), Store(tmp_path / "store")
    asked: list[list[int]] = []
    plans: list[Any] = []
    answers = memory._answers
    monkeypatch.setattr(memory, "_answers", lambda units: asked.append([one.images for one in units]) or answers(units))
    for gib in (80, 0.8):
        machine = Machine(cpus=2, gpus=1, gpu_memory=int(gib * GIB))
        plans.append(with_memory(loaded, make_plan(loaded, store, machine), machine))
    assert asked[0] == [64, 64]  # where they fit, nothing else is forecast
    assert [count < 64 for [count] in asked[1:]] == [True] * len(asked[1:])  # where they do not, what is proposed
    (unit, found), (_, alone) = plans[0].memory.forecasts  # the baseline's is the smaller one
    assert alone.teacher == 0
    assert unit.images == 64
    assert found.teacher > 0
    assert found.look > 0
    assert plans[1].memory.forecasts == plans[0].memory.forecasts
    assert [plan.students[0].id for plan in plans] == [plans[0].students[0].id] * 2
    errors = [[f.message for f in plan.findings if f.level == "error"] for plan in plans]
    assert errors[0] == []
    assert "64 images at once need about" in errors[1][0]
