"""What students find in chosen images stands in MLflow beside their runs, and is read back from there."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient
from PIL import Image

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.end_predictions import predict_at_end, why_not_predicted
from orchestrator.tracking.client import open_client
from orchestrator.tracking.predictions import find_study, read_index, read_picture, read_predictions
from orchestrator.tracking.reading import read_study
from tests.contract.test_tracking import migrated, record, run_of, sync  # noqa: F401  a fixture
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import LAPTOP
from tests.unit.orchestrator.study_text import VALID, write
from trainers.data.datasets import build_dataset
from trainers.detectors.detector import build_student
from trainers.predictions.detect import detect, load_subject
from trainers.schema import class_count
from trainers.schema.atomic import write_text
from trainers.schema.predictions import Subject
from trainers.schema.record import BEST, CONFIG, HISTORY, Outcome, to_lines, write_outcome
from trainers.state.export import student_checkpoint

TINY = str(Path(__file__).parents[1] / "unit" / "trainers" / "tiny_gfl.py")
TEXT = VALID.replace('"mmdet::gfl/gfl_r50_fpn_1x_coco.py"', TINY).replace("mmdet::gfl/gfl_r50_fpn_1x_coco.py", TINY)
SETS = (
    "--set", "scaling.workers=1", "--set", "dataset.val_images=6", "--set", "dataset.image_size=[64, 64]",
    "--trust-config",
)  # fmt: skip
APS = {"none": (0.1, 0.2), "bckd": (0.3, 0.25)}


def leave_student(trial: PlannedTrial, ap: float, sure: float) -> None:
    """Leave a finished trial with an untrained student that is more or less sure of itself."""
    trial.directory.mkdir(parents=True)
    student = build_student(trial.spec.student, class_count(trial.spec.dataset), trial.spec.seed)
    torch.nn.init.constant_(student.bbox_head.gfl_cls.bias, sure)
    torch.save(student_checkpoint(student, trial.spec, {}), trial.directory / BEST)
    (trial.directory / CONFIG).write_text("# config\n")
    write_text(trial.directory / HISTORY, to_lines([record(1, ap)]))
    write_outcome(trial.directory, Outcome("finished"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> tuple[Path, Store, Plan]:  # noqa: F811
    """A teacher and two seeds of none and of bckd at two points, all finished and in MLflow."""
    from orchestrator.plan.plan import make_plan
    from orchestrator.study.load import load_study

    folder = tmp_path_factory.mktemp("predictions")
    (folder / "store").mkdir()
    shutil.copyfile(migrated, folder / "store" / "mlflow.db")
    path, store = write(folder, TEXT), Store(folder / "store")
    plan = make_plan(load_study(path, SETS[1::2][:3], trust_python=True), store, LAPTOP)
    for number, trial in enumerate(plan.trials):
        leave_student(trial, 0.1 + 0.01 * number, -1.0 - 0.1 * number)
    sync(plan, store)
    return path, store, plan


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return runner(capsys)


@pytest.fixture
def client(study) -> MlflowClient:
    return open_client(study[2], study[1])


def study_run(client: MlflowClient, plan: Plan):
    run = find_study(client, plan.fingerprint)
    assert run is not None
    return run


def test_teacher_and_the_best_student_of_each_method_look_at_the_same_images(study, client, stillhouse):
    path, store, plan = study
    answer = stillhouse("predict", path, *SETS, "--store", store.root, "--images", 3, "--json")
    assert answer.code == 0, answer.err
    wanted = [plan.trials[0], plan.students[1], plan.students[-1]]  # AP rises along the plan, baselines come first
    assert [trial.spec.method.kind for trial in wanted[1:]] == ["none", "bckd"]
    assert sorted(answer.json["trials"]) == sorted(trial.id for trial in wanted)
    run = study_run(client, plan)
    assert answer.json["run"] == run.info.run_id
    index = read_index(client, run)
    assert index is not None
    assert [picture.key for picture in index.images] == answer.json["images"]
    assert len(index.images) == 3
    data = build_dataset(plan.study.dataset, "val")
    for picture in index.images:
        assert read_picture(client, run, picture)[:3] == b"\xff\xd8\xff"  # how a JPEG begins
        for trial in wanted:
            subject = Subject(id=trial.id, name="", spec=trial.spec, checkpoint=str(trial.directory / BEST))
            student = load_subject(subject, torch.device("cpu"))
            again = detect(student, data[int(picture.key) - 1], picture, trial.id)
            assert read_predictions(client, trial.id, picture.key) == again
            assert again.boxes
    for trial in wanted:
        assert run_of(client, trial).data.tags["stillhouse.predictions"] == "3"
        assert run_of(client, trial).info.status == "FINISHED"


def test_trials_that_look_later_join_those_before(study, client, stillhouse):
    path, store, plan = study
    first, second = plan.students[0], plan.students[2]
    common = ("predict", path, *SETS, "--store", store.root, "--image-ids", "2,5", "--json", "--trials")
    for trial in (first, second):
        assert stillhouse(*common, trial.id[:8]).json["images"] == ["2", "5"]
    index = read_index(client, study_run(client, plan))
    assert index is not None
    assert {first.id, second.id} <= set(index.trials)


def test_what_does_not_fit_is_said(study, stillhouse):
    path, store, plan = study
    teacher = plan.trials[0].id
    answer = stillhouse(
        "predict", path, *SETS, "--store", store.root, "--trials", teacher, "--images", 6, "--budget-mb", 0.03
    )
    assert answer.code == 0
    assert "images beyond 0.03 MB" in answer.err
    answer = stillhouse("predict", path, *SETS, "--store", store.root, "--trials", teacher, "--budget-mb", 0.001)
    assert answer.code == 1
    [line] = answer.complaints
    assert "raise it, or name fewer trials" in line


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--trials", "zzz"), 2, "no trial begins with zzz"),
        (("--image-ids", "77"), 1, "no image 77: it has 6 images, numbered from 1 to 6"),
    ],
)
def test_mistakes_are_one_sentence(study, stillhouse, options, code, words):
    path, store, _ = study
    answer = stillhouse("predict", path, *SETS, "--store", store.root, *options)
    assert (answer.code, len(answer.complaints)) == (code, 1)
    assert words in answer.err


def test_a_store_without_results_is_left_alone(study, stillhouse, tmp_path):
    answer = stillhouse("predict", study[0], *SETS, "--store", tmp_path / "empty")
    assert answer.code == 2
    assert "holds no results yet" in answer.err
    assert not (tmp_path / "empty").exists()


# at the end of a run ----------------------------------------------------------------------------------------------------


def asking(path: Path, store: Store, **wanted) -> Plan:
    """Return the study's plan, asking for predictions at the end of its runs."""
    from orchestrator.plan.plan import make_plan
    from orchestrator.study.load import load_study

    asked = f"tracking.predictions={json.dumps({'images': 2} | wanted)}"
    return make_plan(load_study(path, [*SETS[1::2][:3], asked], trust_python=True), store, LAPTOP)


def test_the_end_of_a_run_records_predictions_once_where_the_study_asks_for_it(study, client):
    path, store, without = study
    plan = asking(path, store)
    assert plan.fingerprint == without.fingerprint  # it changes no trial and no study
    results = read_study(plan, store).results
    wanted = {plan.trials[0].id, plan.students[1].id, plan.students[-1].id}
    assert predict_at_end(without, store, results) == ()
    assert set(predict_at_end(plan, store, results)) == wanted
    index = read_index(client, study_run(client, plan))
    assert index is not None
    assert (len(index.images), index.asked) == (2, 2)
    assert wanted <= set(index.curves) <= set(index.trials)
    files = {item.path for item in client.list_artifacts(run_of(client, plan.trials[0]).info.run_id, "predictions")}
    assert {"predictions/curves.json", "predictions/confusions.json"} <= files
    assert predict_at_end(plan, store, results) == ()  # MLflow has them
    more = asking(path, store, images=3, trials="all")
    assert set(predict_at_end(more, store, results)) == {trial.id for trial in plan.trials}


def test_curves_that_were_left_out_are_made_up_for(study, client):
    path, store, plan = study
    results = read_study(plan, store).results
    few = asking(path, store, images=1, curves=False)
    assert predict_at_end(few, store, results)
    assert predict_at_end(few, store, results) == ()
    assert predict_at_end(asking(path, store, images=1), store, results)


def test_a_fault_at_the_end_of_a_run_is_one_sentence(study, monkeypatch):
    path, store, _ = study
    plan = asking(path, store, images=4)

    def broken(*_: object) -> None:
        raise RuntimeError("first line\nthe disk is full")

    monkeypatch.setattr("orchestrator.reports.predict.predict", broken)
    said = why_not_predicted(plan, store, read_study(plan, store).results)
    assert said == "no predictions were recorded: the disk is full; the next run tries again"


# figures ----------------------------------------------------------------------------------------------------------------


def test_what_was_found_is_drawn(study, stillhouse, tmp_path):
    path, store, plan = study
    trials = f"{plan.students[0].id},{plan.students[-1].id[:8]}"
    common = (path, *SETS, "--store", store.root, "--trials", trials)
    assert stillhouse("predict", *common, "--images", 3).code == 0
    target = tmp_path / "found.png"
    answer = stillhouse(
        "figure", *common, "--kind", "predictions", "--images", 2, "--thresholds", "0.1,0.2", "--output", target
    )
    assert answer.code == 0, answer.err
    width, height = Image.open(target).size
    assert height > width  # two images at two thresholds, three columns
    answer = stillhouse("figure", *common[:-1], "zzz", "--kind", "predictions", "--output", target)
    assert (answer.code, len(answer.complaints)) == (2, 1)


def test_training_is_drawn_over_time(study, stillhouse, tmp_path):
    path, store, _ = study
    answer = stillhouse("figure", path, *SETS, "--store", store.root, "--output", tmp_path / "phases.svg")
    assert answer.code == 0, answer.err
    assert (tmp_path / "phases.svg").read_text().startswith("<?xml")
    assert stillhouse("figure", path, *SETS, "--store", store.root, "--output", "phases.gif").code == 2


def test_a_figure_of_nothing_is_a_sentence(study, stillhouse, tmp_path):
    path, store, _ = study
    other = (path, *SETS, "--set", "search.seeds=[7]", "--store", store.root)
    for kind, words in (("phases", "has been evaluated yet"), ("predictions", "run stillhouse predict")):
        answer = stillhouse("figure", *other, "--kind", kind, "--output", tmp_path / "x.png")
        assert (answer.code, len(answer.complaints)) == (1, 1)
        assert words in answer.err


def test_a_study_that_shares_its_trials_with_another_experiment_shows_what_they_found(
    study, client, stillhouse, tmp_path
):
    """Each experiment has a run of a trial: that of the study that was looked at gets the detections."""
    from orchestrator.plan.plan import make_plan
    from orchestrator.study.load import load_study

    path, store, _ = study
    own = ("tracking.experiment=second", "name=second", "search.space.method.alpha2=[2.0]")
    sets = (*SETS, *(word for one in own for word in ("--set", one)))
    second = make_plan(load_study(path, [*SETS[1:6:2], *own], trust_python=True), store, LAPTOP)
    sync(second, store)
    looked = stillhouse("predict", path, *sets, "--images", "2", "--store", store.root)
    assert looked.code == 0, looked.err
    page = tmp_path / "page.html"
    answer = stillhouse("dashboard", "export", page, "--store", store.root, "--study", "second")
    assert answer.code == 0, answer.err
    experiment = client.get_experiment_by_name("second").experiment_id
    runs = [run for run in client.search_runs([experiment]) if "stillhouse.predictions" in run.data.tags]
    trials = {run.data.tags["stillhouse.trial"]: run.info.run_id for run in runs if "stillhouse.trial" in run.data.tags}
    assert len(trials) == 3  # the teacher, and the best of none and of bckd
    assert all(f"{run}/predictions/" in page.read_text(encoding="utf-8") for run in trials.values())
    index = read_index(client, study_run(client, second))
    assert index is not None
    assert all(read_predictions(client, trial, index.images[0].key).boxes for trial in trials)
