"""A described cluster has room for the studies that go there, at its largest size, or is refused with its line."""

from pathlib import Path

import pytest
import yaml

from orchestrator.clusters.load import load_described
from orchestrator.clusters.render import render
from orchestrator.core.findings import StudyErrors
from orchestrator.core.store import Store
from orchestrator.plan.growth import VARIABLE, from_text
from orchestrator.plan.plan import make_plan
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import make_run_plan
from orchestrator.study.load import load_study
from tests.unit.orchestrator.clusters.described import PLATFORMS, SHIPPED, description, worker
from tests.unit.orchestrator.planning import STUDIES

QUICKSTART = STUDIES / "quickstart.yaml"
DESCRIPTIONS = sorted(SHIPPED.glob("*.yaml"))
GPUS_OF_A6 = 8


def described_in(folder: Path, kind: str, **changes: object) -> Path:
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(description(kind, **changes)))
    return path


@pytest.mark.parametrize("file", DESCRIPTIONS, ids=lambda path: path.stem)
def test_every_shipped_description_has_room_for_the_quickstart(file: Path, tmp_path: Path) -> None:
    described = load_described(file)
    loaded = load_study(QUICKSTART)
    described.require_room(loaded.study)
    plan = make_plan(loaded, Store(tmp_path), described.cluster.grown)
    assert plan.resources.concurrent == sum(kind.gpus * kind.most for kind in described.cluster.kinds)
    assert plan.resources.at_first == 0
    assert not [finding for finding in plan.findings if finding.where.endswith("scaling")]


@pytest.mark.parametrize("file", DESCRIPTIONS, ids=lambda path: path.stem)
def test_every_shipped_description_has_room_for_table_a6(file: Path, tmp_path: Path) -> None:
    described = load_described(file)
    grown = described.cluster.grown
    few = grown.gpus if grown.gpus < GPUS_OF_A6 else None  # as its users are told: give fewer --gpus
    run_plan = make_run_plan(["A6"], Options(gpus=few), Store(tmp_path), grown)
    assert run_plan.jobs
    assert all(job.plan.resources.concurrent for job in run_plan.jobs.values())


@pytest.mark.parametrize("file", DESCRIPTIONS, ids=lambda path: path.stem)
def test_every_rendered_file_tells_the_head_what_may_come(file: Path) -> None:
    described = load_described(file)
    texts = [text for name, text in render(described.cluster, None).items() if name.endswith((".yaml", ".sbatch"))]
    assert texts
    told = described.cluster.environment[VARIABLE]
    assert from_text(told) == described.cluster.kinds
    assert all(told in text for text in texts)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_description_whose_largest_worker_is_smaller_than_a_trial_is_refused(platform: str, tmp_path: Path) -> None:
    path = described_in(tmp_path, platform, workers=[worker(cpus=2, gpus=0)])
    described = load_described(path)
    study = load_study(QUICKSTART, ["scaling.cpus_per_worker=4"]).study
    with pytest.raises(StudyErrors) as caught:
        described.require_room(study)
    line = path.read_text().splitlines().index("workers:") + 1
    assert str(caught.value).startswith(f"{path}:{line}: workers: no trial of quickstart has room")
    assert "it needs 1 worker x 4 CPU, and the largest machine has 2 CPUs and 0 GPUs" in str(caught.value)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_group_of_workers_that_has_fewer_machines_than_it_needs_is_refused(platform: str, tmp_path: Path) -> None:
    described = load_described(described_in(tmp_path, platform, workers=[worker(cpus=4, gpus=0, min=0, max=1)]))
    study = load_study(QUICKSTART, ["scaling.workers=2", "scaling.cpus_per_worker=4", "schedule.batch_size=8"]).study
    with pytest.raises(StudyErrors, match="2 workers x 4 CPU"):
        described.require_room(study)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_kind_that_may_never_have_a_machine_is_refused(platform: str, tmp_path: Path) -> None:
    with pytest.raises(StudyErrors, match=r"workers\[0\]\.max"):
        load_described(described_in(tmp_path, platform, workers=[worker(min=0, max=0)]))


def test_own_machines_without_any_worker_are_refused(tmp_path: Path) -> None:
    platform = {**PLATFORMS["machines"], "workers": []}
    described = load_described(described_in(tmp_path, "machines", platform=platform, workers=[worker(cpus=8)]))
    with pytest.raises(StudyErrors, match="0 machines at most"):
        described.require_room(load_study(QUICKSTART).study)
