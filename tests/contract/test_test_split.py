"""Numbers of the test split reach MLflow once, come back from it, and stand apart from those that chose."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.digests import split_digest
from orchestrator.plan.plan import Plan
from orchestrator.plan.split_scores import write_scores
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports import on_test_split
from orchestrator.tracking.client import open_client
from orchestrator.tracking.reading import read_study
from tests.contract.test_tracking import AP, finish, logged, migrated, run_of, store, sync  # noqa: F401  fixtures
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import edit

TEST = f"test/{AP}"
COCO = """\
  kind: coco
  root: data
  classes: [a]
  train: {annotations: train.json, images: .}
  val: {annotations: val.json, images: .}
  test: {annotations: test.json, images: .}
"""
SMALL = ("scaling.workers=1", "search.space.method.alpha2=[4.0]")


def write_split(folder: Path, name: str, width: int) -> None:
    boxes = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, width, 8], "area": 8 * width, "iscrowd": 0}]
    images = [{"id": 1, "file_name": f"{name}.png", "width": 32, "height": 32}]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}
    (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture
def plan(tmp_path: Path, store: Store) -> Plan:  # noqa: F811
    """A teacher, two seeds of none and two of BCKD, all finished; the students have numbers of the test split."""
    (tmp_path / "data").mkdir()
    for name in ("train", "val", "test"):
        write_split(tmp_path / "data", name, 8)
    plan = plan_text(tmp_path, edit("  kind: shapes\n  train_images: 8\n", COCO), *SMALL, store=store.root)
    for trial, ap in zip(plan.trials, (0.5, 0.25, 0.3125, 0.375, 0.4375), strict=True):
        finish(trial, ap / 2, ap)
    for trial, ap in zip(plan.trials[1:], (0.2, 0.3, 0.4, 0.6), strict=True):
        measured(plan, trial, ap)
    return plan


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return runner(capsys)


def measured(plan: Plan, trial: PlannedTrial, ap: float) -> None:
    dataset = plan.study.dataset
    assert dataset.kind == "coco"
    write_scores(trial.directory, split_digest(dataset, "test"), {AP: ap})


@pytest.fixture
def client(plan: Plan, store: Store) -> MlflowClient:  # noqa: F811
    return open_client(plan, store)


def rows(plan: Plan, store: Store) -> list[tuple[str, list[float], float | None]]:  # noqa: F811
    found = on_test_split.test_json(on_test_split.rows_of_test_split(read_study(plan, store).results))
    return [(row["name"], [one[AP] for one in row["trials"].values()], row["vs_none"]) for row in found]


EXPECTED = [("none", [0.2, 0.3], None), ("bckd alpha2=4.0", [0.4, 0.6], pytest.approx(0.25))]


def test_each_number_is_sent_once(plan, store, client):  # noqa: F811
    sync(plan, store)
    sync(plan, store)
    for trial, ap in zip(plan.trials[1:], (0.2, 0.3, 0.4, 0.6), strict=True):
        assert logged(client, trial)[TEST] == [(0, ap)]
    assert TEST not in logged(client, plan.trials[0])


def test_numbers_that_come_after_the_trial_ended_are_sent(plan, store, client):  # noqa: F811
    (plan.trials[1].directory / "test.json").unlink()
    tracker = sync(plan, store)
    measured(plan, plan.trials[1], 0.2)
    tracker.sync(plan.trials[1])
    assert logged(client, plan.trials[1])[TEST] == [(0, 0.2)]


def test_numbers_of_other_test_data_come_after_the_old_ones(plan, store, client, tmp_path):  # noqa: F811
    sync(plan, store)
    write_split(tmp_path / "data", "test", 9)
    assert rows(plan, store) == []  # those in the store belong to other data
    measured(plan, plan.trials[1], 0.9)
    sync(plan, store)
    assert logged(client, plan.trials[1])[TEST] == [(0, 0.2), (1, 0.9)]
    assert [found[:2] for found in rows(plan, store)] == [("none", [0.9])]


@pytest.mark.parametrize("is_here", [True, False])
def test_mlflow_alone_gives_the_same_rows(plan, store, tmp_path, is_here):  # noqa: F811
    sync(plan, store)
    assert rows(plan, store) == EXPECTED
    for trial in plan.trials:
        shutil.rmtree(trial.directory)
    if not is_here:
        (tmp_path / "data" / "test.json").unlink()
    assert rows(plan, store) == EXPECTED


def test_no_choice_asks_the_test_split(plan, store):  # noqa: F811
    """The student with the best test number by far stays where its validation puts it."""
    measured(plan, plan.trials[1], 1.0)
    sync(plan, store)
    results = {result.id: result for result in read_study(plan, store).results}
    assert not any(key.startswith("test/") for result in results.values() for key in (*result.metrics, *result.last))
    assert [found[0] for found in rows(plan, store)] == ["none", "bckd alpha2=4.0"]


def test_reports_tell_it_apart(plan, store, stillhouse, tmp_path):  # noqa: F811
    sync(plan, store)
    common = ("report", tmp_path / "study.yaml", *(word for one in SMALL for word in ("--set", one)))
    for kind in ("md", "html", "latex"):
        answer = stillhouse(*common, "--store", store.root, "--format", kind)
        assert "measured on images that nothing was chosen by" in answer.out, answer.err
    [head, *lines] = csv.reader(io.StringIO(stillhouse(*common, "--store", store.root, "--format", "csv").out))
    column = head.index("test AP")
    assert [line[column] for line in lines] == ["", "25.0", "50.0"]
