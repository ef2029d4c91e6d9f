"""The supplement's two figures are drawn of what a reproduction has finished, and what is missing is said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.core.store import Store
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reproduce.figures import panels_of_pairs
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.pairs import pairs_of
from orchestrator.reproduce.plan import RunPlan, make_run_plan, merged
from orchestrator.reproduce.results import read_all
from orchestrator.tracking.client import open_client
from orchestrator.tracking.predictions import find_study, read_index
from tests.contract.test_predictions import leave_student
from tests.contract.test_tracking import migrated, sync  # noqa: F401  a fixture
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import LAPTOP
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

ROWS = ("bccd_gfl_none", "bccd_gfl_ld", "bccd_gfl_bckd", "bccd_gfl_bckd_self", "bccd_atss_none", "bccd_atss_bckd")
FINISHED = ("bccd_gfl_none", "bccd_gfl_ld", "bccd_gfl_bckd", "bccd_gfl_bckd_self", "bccd_atss_none")
AP = "coco/bbox_mAP"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw three images in the place of BCCD."""
    root = tmp_path_factory.mktemp("data") / "bccd"
    for folder in ("annotations", "JPEGImages"):
        (root / folder).mkdir(parents=True)
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 96, "height": 64} for n in (1, 2, 3)]
    boxes = [
        {"id": n, "image_id": n, "bbox": [10, 10, 30, 20], "area": 600, "category_id": 1, "iscrowd": 0}
        for n in (1, 2, 3)
    ]
    kinds = [{"id": n, "name": name} for n, name in enumerate(("RBC", "WBC", "Platelets"), start=1)]
    text = json.dumps({"images": images, "annotations": boxes, "categories": kinds})
    for split in ("train", "val"):
        (root / "annotations" / f"instances_{split}.json").write_text(text)
    for image in images:
        Image.new("RGB", (96, 64), (200, 30, 40 * image["id"])).save(root / "JPEGImages" / image["file_name"])
    return root.parent


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, cells: Path, migrated: Path) -> Store:  # noqa: F811
    """Finish two seeds of five rows in three plans, as a reproduction does, and leave ATSS's student of BCKD out."""
    store = Store(tmp_path_factory.mktemp("figures") / "store")
    store.root.mkdir()
    shutil.copyfile(migrated, store.database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_DATA", str(cells))
        run_plan = make_run_plan(ROWS, Options(seeds=2), store, LAPTOP)
        for number, wave in enumerate(run_plan.waves()):
            done = tuple(trial for trial in wave if run_plan.source(trial).name in FINISHED)
            for trial in done:
                finish(trial, 0.1 * number)
            for plan in merged(run_plan, done, f"wave {number}"):
                sync(plan, store)
    return store


def finish(trial: PlannedTrial, ap: float) -> None:
    """Leave an untrained student (of ATSS, which nobody draws, none) whose AP rises, the higher the later its seed."""
    if "gfl" in trial.spec.student.config:
        leave_student(trial, ap, -1.0)
    trial.directory.mkdir(parents=True, exist_ok=True)
    aps = {4: ap + 0.125, 8: ap + 0.25 + trial.spec.seed / 16}
    records = [Record(epoch, epoch, {AP: value, f"{AP}_50": value}, final=epoch == 8) for epoch, value in aps.items()]
    (trial.directory / HISTORY).write_text(to_lines(records))
    write_outcome(trial.directory, Outcome("finished"))


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch, cells: Path) -> None:
    monkeypatch.setenv("STILLHOUSE_DATA", str(cells))


@pytest.fixture
def run_plan(store: Store) -> RunPlan:
    return make_run_plan(ROWS, Options(seeds=2), store, LAPTOP)


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return runner(capsys)


def draw(stillhouse: Callable[..., Answer], store: Store, folder: Path, *more: object, rows=ROWS) -> Answer:
    return stillhouse("reproduce", *rows, "--seeds", 2, "--store", store.root, "--figures", folder, *more)


def test_each_student_and_teacher_has_a_panel_and_a_page(store, run_plan, stillhouse, tmp_path):
    answer = draw(stillhouse, store, tmp_path / "new" / "figures", "--images", 1, "--thresholds", "0.2", "--json")
    assert answer.code == 0, answer.err
    files = [Path(found["file"]) for found in answer.json["figures"]]
    assert files[0].name == "phases.png"
    gfl = "gfl_r50_fpn_1x_coco"
    pages = [
        f"predictions-{n}-{gfl}_R18_x0.25_from_{gfl}_{teacher}_x0.25.png" for n, teacher in ((1, "R50"), (2, "R18"))
    ]
    assert [file.name for file in files[1:]] == pages
    assert all(Image.open(file).size[0] > 400 for file in files)
    wide, narrow = (Image.open(file).size[0] for file in files[1:])
    assert wide > narrow  # objects, teacher, none, ld and bckd; without ld and with itself as the teacher

    plain, whole = "atss_r50_fpn_1x_coco R18 x0.25", answer.json["missing"]
    assert whole == [f"bccd: {plain} from atss_r50_fpn_1x_coco R50 x0.25: finished of bccd_atss_bckd: 0 of 2 trials"]
    assert f"not drawn: {whole[0]}" in answer.err


def test_predictions_are_kept_by_the_study_of_every_trial(store, run_plan, stillhouse, tmp_path):
    assert draw(stillhouse, store, tmp_path, "--image-ids", "3,1", rows=ROWS[:3]).code == 0
    [plan, *_] = merged(run_plan, run_plan.trials, "x")
    client = open_client(plan, store)
    results = read_all(run_plan, store)
    [pair, *_] = pairs_of(run_plan)
    best = [trial.id for trial in (*pair.alone, *pair.taught) if trial.spec.seed == 1]  # the later seed ends higher
    for trial in best:
        run = client.get_run(results[trial].mlflow_run_id)
        index = read_index(client, find_study(client, run.data.tags["stillhouse.study_fingerprint"]))
        assert index is not None
        assert [picture.key for picture in index.images] == ["3", "1"]
        assert set(index.trials) == {*best, pair.teaches.id}
        assert index.trials[pair.teaches.id].startswith("teacher-")


def test_the_curves_are_those_of_mlflow(store, run_plan):
    panels = panels_of_pairs(run_plan, pairs_of(run_plan), store)
    labels = [[curve.label for curve in panel.curves] for panel in panels]
    assert labels[0] == ["none, 2 seeds", "ld, 2 seeds", "bckd, 2 seeds"]
    assert labels[1:] == [["none, 2 seeds", "bckd, 2 seeds"], ["none, 2 seeds"]]
    assert panels[0].curves[0].epochs == (4, 8)
    assert panels[0].curves[0].mean == pytest.approx((22.5, 38.125))
    assert panels[0].curves[1].mean == pytest.approx((32.5, 48.125))
    assert panels[0].subtitle == "from gfl_r50_fpn_1x_coco R50 x0.25"


def test_a_reproduction_of_which_nothing_is_finished_draws_nothing(store, stillhouse, tmp_path):
    answer = draw(stillhouse, store, tmp_path / "none", rows=("bccd_fcos_none", "bccd_fcos_bckd"))
    assert answer.code == 1
    assert len(answer.complaints) == 2
    assert not (tmp_path / "none").exists()
    answer = draw(stillhouse, store, tmp_path / "none", rows=("bccd_gfl_bckd",))
    assert answer.code == 1
    assert "no row trains this student alone" in answer.err
    answer = draw(stillhouse, store, tmp_path / "none", rows=("bccd_gfl_none",))
    assert "no row is distilled" in answer.err


def test_images_that_are_not_there_are_said_and_the_curves_are_drawn(store, stillhouse, tmp_path):
    answer = draw(stillhouse, store, tmp_path, "--image-ids", "77", "--figure-format", "svg", rows=ROWS[:3])
    assert answer.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["phases.svg"]
    assert "no predictions: the validation split has no image 77" in answer.err
