"""A plan says how much memory its trainings need, and refuses those that do not fit into a known GPU."""

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.store import Store
from orchestrator.plan import memory
from orchestrator.plan.cohorts import cohorts
from orchestrator.plan.gpu_memory import smallest
from orchestrator.plan.machine import Machine
from orchestrator.plan.memory import unit_of, with_memory
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.planned_memory import PlannedMemory
from orchestrator.reports.plan_table import describe_memory, plan_json
from orchestrator.study.load import load_study
from trainers.schema.memory import GIB, MemoryAnswer, MemoryForecast

STUDY = """
name: large
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, batch_size: 16, policy: {kind: constant}}
search: {space: {schedule.lr: [0.01, 0.02, 0.03, 0.04, 0.05]}, cohort: auto}
"""
FOUND = MemoryForecast(
    images=16, size=(128, 128), teacher=0, student=GIB, evidence=GIB // 4, batch=GIB, look=0, step=8 * GIB, gradients=GIB // 2,
    workspace=GIB // 2,
)  # fmt: skip


def forecast_of(images: int) -> MemoryForecast:
    """Return the forecast of so many images: a step has a GiB for gradients and workspace, whatever their number."""
    changes = {key: getattr(FOUND, key) * images // 16 for key in ("evidence", "batch")}
    return FOUND.model_copy(update={"images": images, "step": GIB + 7 * GIB * images // 16, **changes})


@pytest.fixture(autouse=True)
def known_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer each request without a process of its own, and remember nothing elsewhere."""
    monkeypatch.setattr(
        memory,
        "_answers",
        lambda units: [MemoryAnswer(key=unit.key, forecast=forecast_of(unit.images)) for unit in units],
    )
    monkeypatch.setattr(memory, "_recall", lambda _key: None)
    monkeypatch.setattr(memory, "_remember", lambda _answer: None)


def planned(folder: Path, gpus: int, size: float | None, *sets: str) -> Plan:
    (folder / "study.yaml").write_text(STUDY)
    loaded = load_study(folder / "study.yaml", sets)
    here = Machine(cpus=8, gpus=gpus, gpu_memory=None if size is None else int(size * GIB))
    return with_memory(loaded, make_plan(loaded, Store(folder / "store"), here), here)


def told(plan: Plan) -> list[str]:
    return [f"{finding.level} {finding.message}" for finding in plan.findings]


def test_nothing_is_forecast_where_cpus_train(tmp_path: Path) -> None:
    plan = planned(tmp_path, 0, None)
    assert plan.memory is None
    assert describe_memory(plan) == []
    assert plan_json(plan)["memory"] == []


def test_the_plan_shows_the_forecast_and_what_it_is_made_of(tmp_path: Path) -> None:
    [line] = describe_memory(planned(tmp_path, 1, 80))
    assert line == (
        "memory of a GPU: about 10.2 GiB for gfl_r50_fpn_1x_coco, 16 images of 128 x 128 in fp32 (weights, optimizer and average "
        "1.0 GiB, images and outputs 1.2 GiB, one step 8.0 GiB); each further student side by side 1.2 GiB; 50 fit into the "
        "80.0 GiB here"
    )
    [content] = plan_json(planned(tmp_path, 1, None))["memory"]
    assert content["peak"] == FOUND.peak()


def test_an_unknown_gpu_is_not_compared(tmp_path: Path) -> None:
    plan = planned(tmp_path, 1, None)
    assert told(plan) == []
    assert "fit into" not in describe_memory(plan)[0]


def test_a_batch_that_does_not_fit_is_refused_with_the_largest_that_does(tmp_path: Path) -> None:
    plan = planned(tmp_path, 1, 8)
    [error] = [finding for finding in plan.findings if finding.level == "error"]
    assert error.where.endswith("schedule.batch_size")
    assert error.message == (
        "16 images at once need about 10.2 GiB of a GPU, and a GPU has 8.0 GiB for it; about 8 images of each worker fit: set "
        "schedule.batch_size, or train on more workers (scaling.workers)"
    )


@pytest.mark.parametrize("size", [4.5, 5.0, 8.0, 9.3, 10.9, 11.5])
def test_the_proposed_batch_is_taken_without_a_word(size: float, tmp_path: Path) -> None:
    [said] = told(planned(tmp_path, 1, size))
    proposed = re.search(r"; about (\d+) images? of each worker fit", said)
    assert proposed
    assert told(planned(tmp_path, 1, size, f"schedule.batch_size={proposed[1]}")) == []
    assert told(planned(tmp_path, 1, size, f"schedule.batch_size={int(proposed[1]) + 2}")) != []


def test_a_batch_that_may_not_fit_is_warned_of(tmp_path: Path) -> None:
    [warning] = told(planned(tmp_path, 1, 11.5))
    assert warning.startswith("warning 16 images at once need about 10.2 GiB")


def test_a_share_of_a_gpu_has_a_share_of_its_memory(tmp_path: Path) -> None:
    half = planned(tmp_path, 1, 16, "scaling.gpus_per_worker=0.5")
    assert told(half) == told(planned(tmp_path, 1, 8))
    assert told(planned(tmp_path, 1, 16)) == []


@pytest.mark.parametrize(("size", "cohort"), [(80.0, 5), (16.0, 3), (13.0, 1)])
def test_auto_puts_as_many_side_by_side_as_fit(size: float, cohort: int, tmp_path: Path) -> None:
    plan = planned(tmp_path, 1, size)
    assert plan.memory is not None
    assert max(len(group) for group in cohorts(plan, plan.students).groups) == cohort


def test_a_cohort_that_may_not_fit_is_warned_of(tmp_path: Path) -> None:
    assert told(planned(tmp_path, 1, 16, "search.cohort=5")) == [
        "warning 5 students side by side may need more memory than a GPU has: 3 fit"
    ]


def test_trials_that_differ_in_rates_share_a_forecast(tmp_path: Path) -> None:
    plan = planned(tmp_path, 1, 80)
    assert isinstance(plan.memory, PlannedMemory)
    assert len(plan.memory.forecasts) == 1
    assert len(plan.students) == 5


@pytest.mark.parametrize(
    "change",
    [
        "schedule.batch_size=8",
        "schedule.precision=bf16",
        "student.weights=imagenet",
        "student.width=0.5",
        "dataset.image_size=[256, 256]",
    ],
)
def test_what_changes_the_memory_has_a_forecast_of_its_own(change: str, tmp_path: Path) -> None:
    plans = planned(tmp_path, 1, None), planned(tmp_path, 1, None, change)
    keys = [unit_of(plan, plan.students[0]).key for plan in plans]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("said", "visible", "expected"),
    [
        ("0, 81559\n1, 24564\n", None, 24564),
        ("0, 81559\n1, 24564\n", "0", 81559),
        ("0, 81559\n1, 24564\n", "1,0", 24564),
        ("0, 81559\n", "GPU-5f3", 81559),
        ("0, [N/A]\n", None, None),
        ("No devices were found\n", None, None),
    ],
)
def test_the_smallest_gpu_counts(said: str, visible: str | None, expected: Any) -> None:
    assert smallest(said, visible) == (None if expected is None else expected * 2**20)
