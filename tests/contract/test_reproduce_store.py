"""Numbers that stand in MLflow, whoever put them there, are judged as a reproduction of its tables."""

import json
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import RunPlan, make_run_plan
from orchestrator.reproduce.report import checks, comparison_content
from orchestrator.reproduce.results import judged, read_all

COCO = {"mAP": "coco/bbox_mAP", "AP50": "coco/bbox_mAP_50", "AP75": "coco/bbox_mAP_75"}
BIG = Machine(cpus=64, gpus=8)
TEACHER = "retinanet_r101_fpn_1x_coco"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    store.prepare()
    fill(make_run_plan(["A6"], Options(seeds=3), store, BIG), store)
    return store


def fill(run_plan: RunPlan, store: Store) -> None:
    """Put runs into MLflow that no training has made: A6 prints 38.1, 36.2, 37.9 and 39.2."""
    client = MlflowClient(tracking_uri=store.tracking_uri)
    experiment = client.create_experiment("paper", artifact_location=store.artifacts.as_uri())
    nothing: dict[str, float] = {}
    numbers = {
        TEACHER: [{"mAP": 38.5, "AP50": 58.3, "AP75": 40.3}],
        "retina_r50": [{"mAP": 36.5}, {"mAP": 36.5}, {"mAP": 36.5}],
        "retina_r50_gid": [{"mAP": 38.21}, {"mAP": 38.21}, {"mAP": 38.21}],
        "retina_r50_bckd": [{"mAP": float("nan")}, {"mAP": 39.6}, nothing],
    }
    for name, seeds in numbers.items():
        for trial, values in zip(run_plan.jobs[name].trials, seeds, strict=True):
            tags = {"stillhouse.kind": "trial", "stillhouse.trial": trial.id, "stillhouse.status": "finished"}
            if values is nothing:
                tags["stillhouse.status"] = "failed"
            run = client.create_run(experiment, tags=tags)
            for metric, value in values.items():
                client.log_metric(run.info.run_id, COCO[metric], value / 100, step=12)
            client.log_metric(run.info.run_id, "epoch", 12.0, step=12)


def found(store: Store, seeds: int = 3) -> dict[str, dict[str, object]]:
    run_plan = make_run_plan(["A6"], Options(seeds=seeds), store, BIG)
    results = read_all(run_plan, store)
    rows = judged(run_plan, results)
    json.dumps(comparison_content(run_plan, rows, results), allow_nan=False)
    return {row.row.study or row.row.weights: {"seeds": row.seeds, **row.cells} for row in rows}


def kinds(row: dict[str, object]) -> dict[str, str]:
    return {name: cell.kind for name, cell in row.items() if name != "seeds"}  # type: ignore[attr-defined]


def test_an_evaluation_may_differ_by_half_a_point_from_what_is_printed(store: Store) -> None:
    teacher = found(store)[TEACHER]
    assert teacher["mAP"].difference == pytest.approx(0.4)  # type: ignore[attr-defined]
    assert kinds(teacher) == {
        "mAP": "reproduced", "AP50": "reproduced", "AP75": "off",
        "APs": "not printed", "APm": "not printed", "APl": "not printed",
    }  # fmt: skip


def test_inside_noise_is_reproduced_and_just_outside_is_off(store: Store) -> None:
    rows = found(store)
    assert rows["retina_r50"]["mAP"].kind == "reproduced"  # type: ignore[attr-defined]
    assert rows["retina_r50_gid"]["mAP"].kind == "off"  # type: ignore[attr-defined]
    assert rows["retina_r50_gid"]["mAP"].difference == pytest.approx(0.31)  # type: ignore[attr-defined]


def test_a_number_that_is_none_and_a_seed_that_failed_leave_one_which_is_marked(store: Store) -> None:
    cell = found(store)["retina_r50_bckd"]["mAP"]
    assert (cell.kind, cell.mean) == ("reproduced", pytest.approx(39.6))  # type: ignore[attr-defined]
    assert cell.note == "2 of 3 seeds, 1 not a number, one seed"  # type: ignore[attr-defined]


def test_metrics_that_nobody_measured_are_not_run(store: Store) -> None:
    row = found(store)["retina_r50"]
    assert kinds(row)["AP50"] == "not run"
    assert kinds(row)["APs"] == "not printed"


def test_public_weights_are_shown_beside_their_zoos_figure(store: Store) -> None:
    run_plan = make_run_plan(["A6"], Options(seeds=3), store, BIG)
    [check] = checks(run_plan, read_all(run_plan, store))
    assert (check.weights, check.expected, check.objection) == (TEACHER, 38.5, None)


def test_more_seeds_than_were_run_are_missing(store: Store, tmp_path: Path) -> None:
    row = found(store, seeds=5)["retina_r50"]
    assert (row["seeds"], row["mAP"].note) == (3, "3 of 5 seeds")  # type: ignore[attr-defined]
