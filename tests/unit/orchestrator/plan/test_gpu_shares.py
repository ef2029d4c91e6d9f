"""Where a study asks for shares of GPUs, as many trainings share one as its memory and the CPUs allow, or the plan is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan import memory
from orchestrator.plan.cohorts import cohorts
from orchestrator.plan.machine import Machine
from orchestrator.plan.memory import with_memory
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from tests.unit.orchestrator.plan.test_memory import FOUND, STUDY, told
from trainers.schema.memory import GIB, OUTSIDE, MemoryAnswer

TEACHER = "teacher: {kind: random, detector: {config: 'mmdet::gfl/gfl_r50_fpn_1x_coco.py', backbone_depth: 101, weights: random}}\n"
DISTILLING = STUDY.replace("method: {kind: none}", f"{TEACHER}method: {{kind: bckd}}")
NEEDED = 1.1 * FOUND.peak() / GIB + OUTSIDE / GIB + 0.01  # GiB of a training: 12.0


@pytest.fixture(autouse=True)
def known_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer each request at once: a student with a teacher needs a third more."""

    def answers(units: object) -> object:
        for unit in units:  # type: ignore[attr-defined]
            found = FOUND if unit.teacher is None else FOUND.model_copy(update={"teacher": int(3.2 * GIB)})
            yield MemoryAnswer(key=unit.key, forecast=found)

    monkeypatch.setattr(memory, "_answers", answers)
    monkeypatch.setattr(memory, "_recall", lambda _key: None)
    monkeypatch.setattr(memory, "_remember", lambda _answer: None)


def shared(folder: Path, machine: Machine, *sets: str, text: str = STUDY) -> Plan:
    (folder / "study.yaml").write_text(text)
    loaded = load_study(folder / "study.yaml", ["scaling.gpus_per_worker=shared", *sets])
    return with_memory(loaded, make_plan(loaded, Store(folder / "store"), machine), machine)


def here(size: float | None, cpus: int = 32, gpus: int = 1) -> Machine:
    return Machine(cpus=cpus, gpus=gpus, gpu_memory=None if size is None else int(size * GIB))


@pytest.mark.parametrize(("size", "number"), [(80, 6), (2 * NEEDED, 2), (2 * NEEDED - 0.1, 1), (1000, 8)])
def test_as_many_trainings_share_a_gpu_as_its_memory_holds(size: float, number: int, tmp_path: Path) -> None:
    plan = shared(tmp_path, here(size))
    assert plan.resources.gpus_per_worker == 1 / number
    assert plan.resources.concurrent == number
    assert told(plan) == []
    assert plan.memory is not None
    assert plan.memory.gpu is not None
    assert all(found.students_in(plan.memory.gpu) >= 1 for _, found in plan.memory.forecasts)


def test_the_teacher_counts(tmp_path: Path) -> None:
    machine = here(3 * NEEDED)
    assert shared(tmp_path, machine).resources.gpus_per_worker == 1 / 3
    assert shared(tmp_path, machine, text=DISTILLING).resources.gpus_per_worker == 1 / 2


def test_cpus_bound_the_number_and_leave_loaders(tmp_path: Path) -> None:
    few = shared(tmp_path, here(80, cpus=3))
    assert (few.resources.gpus_per_worker, few.resources.concurrent) == (1 / 3, 3)
    wide = shared(tmp_path, here(80, cpus=8), "scaling.cpus_per_worker=4")
    assert (wide.resources.gpus_per_worker, wide.resources.concurrent) == (1 / 2, 2)
    nodes = Machine(cpus=40, gpus=3, nodes=(Machine(32, 2), Machine(8, 1)), gpu_memory=80 * GIB)
    assert shared(tmp_path, nodes).resources.concurrent == 18


def test_a_cohort_has_the_share_to_itself(tmp_path: Path) -> None:
    three = shared(tmp_path, here(3 * NEEDED), "search.cohort=3")
    assert three.resources.gpus_per_worker == 1 / 2
    auto = shared(tmp_path, here(3 * NEEDED), "search.cohort=auto")
    assert max(len(group) for group in cohorts(auto, auto.students).groups) == 1  # a third holds no second one


def test_a_machine_without_gpus_trains_on_its_cpus(tmp_path: Path) -> None:
    plan = shared(tmp_path, here(None, gpus=0))
    assert plan.resources.gpus_per_worker == 0
    assert told(plan) == []


def errors(plan: Plan) -> list[str]:
    assert plan.resources.gpus_per_worker == 1
    return [finding.message for finding in plan.findings if finding.level == "error"]


def test_gpus_of_unknown_memory_are_refused(tmp_path: Path) -> None:
    plan = shared(tmp_path, here(None))
    [error] = errors(plan)
    assert error == (
        "shared: nobody tells how much memory the GPUs have (nvidia-smi does so on one machine, and nobody in a cluster); write a "
        "share, such as 0.5, or auto for whole GPUs"
    )
    assert plan.findings[0].where.endswith("scaling.gpus_per_worker")


def test_a_training_without_a_forecast_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        memory, "_answers", lambda units: [MemoryAnswer(key=units[0].key, problem="it cannot be built")]
    )
    [error] = errors(shared(tmp_path, here(80)))
    assert "it cannot be built" in error
    monkeypatch.setattr(memory, "lacking_package", lambda: "torch")
    [error] = errors(shared(tmp_path, here(80)))
    assert "not installed" in error


def test_more_kinds_of_training_than_are_forecast_are_refused(tmp_path: Path) -> None:
    batches = ", ".join(map(str, range(2, 2 * memory.MOST_UNITS + 1, 2)))
    space = f"search.space={{schedule.batch_size: [{batches}]}}"
    assert shared(tmp_path, here(80), space).resources.gpus_per_worker == 1 / 6
    [error] = errors(shared(tmp_path, here(80), space.replace("[2,", "[1, 2,")))
    assert f"for {memory.MOST_UNITS} kinds of training" in error


def test_a_search_that_draws_what_changes_memory_is_refused(tmp_path: Path) -> None:
    drawn = ("search.algorithm=optuna", "search.samples=4")
    rates = "search.space={schedule.lr: {loguniform: [0.01, 0.1]}}"
    widths = "search.space={student.width: {uniform: [0.5, 1.0]}}"
    assert shared(tmp_path, here(80), *drawn, rates).resources.gpus_per_worker == 1 / 6
    [error] = errors(shared(tmp_path, here(80), *drawn, widths))
    assert "draws student.width" in error


def test_a_training_that_needs_a_whole_gpu_has_one(tmp_path: Path) -> None:
    plan = shared(tmp_path, here(NEEDED - 0.5))
    assert plan.resources.gpus_per_worker == 1
    assert [finding.level for finding in plan.findings] == ["warning"]
    assert replace(plan.resources, concurrent=1) == plan.resources


TRAINED = TEACHER.replace("kind: random,", "kind: train, schedule: {batch_size: 16},")


def test_a_teacher_that_is_trained_has_nobody_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only students are put side by side, so a large teacher lets as many of them share as fit."""
    large = FOUND.model_copy(update={"step": int(FOUND.step * 1.5), "evidence": 20 * GIB})

    def answers(units: object) -> object:
        for unit in units:  # type: ignore[attr-defined]
            yield MemoryAnswer(key=unit.key, forecast=large if unit.student.backbone_depth == 101 else FOUND)

    monkeypatch.setattr(memory, "_answers", answers)
    text = STUDY.replace("method: {kind: none}", f"{TRAINED}method: {{kind: bckd}}")
    plan = shared(tmp_path, here(80), "search.cohort=3", text=text)
    assert plan.memory is not None
    assert [unit.key in plan.memory.alone for unit, _ in plan.memory.forecasts] == [True, False, False]
    assert plan.resources.gpus_per_worker < 1
    small = shared(tmp_path, here(12), "scaling.gpus_per_worker=1", text=text)
    [error] = [finding for finding in small.findings if finding.level == "error"]
    assert "teacher.schedule.batch_size" in error.message
