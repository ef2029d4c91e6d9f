"""A plan says where GPUs would wait for their images, in hours that the given rates lead to."""

from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.reproduce.loading import starving
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import RunPlan, make_run_plan
from orchestrator.reproduce.plan_table import plan_content
from orchestrator.reproduce.tables import studies, study_file
from orchestrator.study.load import load_study
from tests.unit.orchestrator.command import runner


def run_plan(target: str, machine: Machine | None, folder: Path, **options: object) -> RunPlan:
    return make_run_plan([target], Options(**options), Store(folder / "store"), machine)  # type: ignore[arg-type]


def test_two_loaders_beside_each_gpu_are_too_few_for_yolox(tmp_path: Path) -> None:
    """300 epochs of 117,266 images at 34 ms of a CPU: 41.5 hours by one loader beside each of 8 GPUs."""
    found = {one.name: one for one in starving(run_plan("A3", Machine(cpus=24, gpus=8), tmp_path))}
    assert set(found) == {"yolox_tiny", "yolox_tiny_bckd"}
    tiny = found["yolox_tiny"]
    assert (tiny.workers, tiny.loaders, tiny.needed) == (8, 2, 4)
    assert tiny.hours == pytest.approx(20.8, abs=0.05)
    assert "20.8 hours of loading by 2 loaders a GPU" in tiny.describe()


def test_where_the_cpus_are_there_nothing_starves(tmp_path: Path) -> None:
    assert starving(run_plan("all", Machine(cpus=64, gpus=8), tmp_path)) == []


def test_a_machine_without_gpus_says_what_the_one_of_the_run_needs(tmp_path: Path) -> None:
    found = run_plan("yolox_tiny", Machine(cpus=2, gpus=0), tmp_path)
    [tiny] = starving(found)
    assert (tiny.loaders, tiny.needed) == (None, 4)
    assert tiny.hours == pytest.approx(41.5, abs=0.05)
    assert [one["name"] for one in plan_content(found, 2.0)["loading"]] == ["yolox_tiny"]
    assert starving(run_plan("bccd", Machine(cpus=2, gpus=0), tmp_path)) == []  # trains on CPUs
    assert starving(run_plan("A3", Machine(cpus=2, gpus=0), tmp_path, fidelity="smoke")) == []


def test_the_plan_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stillhouse = runner(capsys)
    out = stillhouse("reproduce", "yolox_tiny", "--plan", "--store", tmp_path / "store").out
    assert "4 loaders keep up: 5 CPUs a GPU" in out
    assert "too slowly" not in stillhouse("reproduce", "A6", "--plan", "--store", tmp_path / "store").out


def test_studies_of_the_paper_leave_the_number_of_loaders_to_the_machine() -> None:
    for name in studies():
        path = study_file(name)
        assert path is not None
        assert load_study(path).study.scaling.loader_workers == (0 if name.startswith("bccd") else "auto"), name
