"""What trials leave on disk stands in MLflow, once and to the last bit, and is read back from there."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run, ViewType
from mlflow.tracking import MlflowClient

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.metric_names import COCO_COLUMNS as COLUMNS
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import best_student, summary_json
from orchestrator.study.schema import StudySpec
from orchestrator.tracking.client import open_client
from orchestrator.tracking.names import flat_params
from orchestrator.tracking.results import read_results, results_on_disk
from orchestrator.tracking.runs import find_runs
from orchestrator.tracking.tracker import Tracker
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import PIPELINES, plan_text, teacher_of
from tests.unit.orchestrator.study_text import VALID
from trainers.schema import TrialSpec
from trainers.schema.atomic import write_text
from trainers.schema.record import BEST, CONFIG, HISTORY, Outcome, Record, to_lines, write_outcome

AP, AP50 = COLUMNS["AP"], COLUMNS["AP50"]
SMALL = (
    "scaling.workers=1",
    "search.seeds=[0, 1]",
    "search.space.method.alpha2=[4.0]",
    "tracking.tags={team: vision}",
)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let MLflow create one empty database, which takes it seconds; tests start from copies."""
    database = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture
def store(tmp_path: Path, migrated: Path) -> Store:
    (tmp_path / "store").mkdir()
    shutil.copyfile(migrated, tmp_path / "store" / "mlflow.db")
    return Store(tmp_path / "store")


@pytest.fixture
def plan(tmp_path: Path, store: Store) -> Plan:
    """A teacher, two baselines and two BCKD students."""
    return plan_text(tmp_path, VALID, *SMALL, store=store.root)


@pytest.fixture
def client(plan: Plan, store: Store) -> MlflowClient:
    return open_client(plan, store)


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return runner(capsys)


def record(epoch: int, ap: float | None, **changes: Any) -> Record:
    """Return an epoch's record, with numbers that binary floating point cannot hold exactly."""
    scores = {} if ap is None else {AP: ap, AP50: ap / 3}
    common: dict[str, Any] = {
        "metrics": {"loss/total": 1 / (epoch + 1) + 0.1, "lr": 0.1 / 3, **scores},
        "timing": {"time/train_s": 1.1 * epoch},
        "wall_time": 1_700_000_000.25 + epoch,
    }
    return Record(epoch=epoch, step=10 * epoch, **(common | changes))


def leave(trial: PlannedTrial, history: list[Record], outcome: Outcome | None = None) -> None:
    """Leave in a trial's directory what a worker would."""
    trial.directory.mkdir(parents=True, exist_ok=True)
    write_text(trial.directory / HISTORY, to_lines(history))
    (trial.directory / BEST).write_bytes(f"weights of {trial.id}, {len(history)} epochs".encode())
    if outcome is not None:
        (trial.directory / CONFIG).write_text(f"model = dict(type='{trial.id}')\n{PIPELINES}")
        write_outcome(trial.directory, outcome)


def finish(trial: PlannedTrial, *aps: float | None) -> list[Record]:
    """Leave a finished trial with these APs and return its history."""
    history = [record(epoch, ap) for epoch, ap in enumerate(aps, start=1)]
    leave(trial, history, Outcome("finished"))
    return history


def sync(plan: Plan, store: Store, *trials: PlannedTrial) -> Tracker:
    """Bring MLflow up to date as a new process would."""
    tracker = Tracker(plan, store)
    for trial in trials or plan.trials:
        tracker.sync(trial)
    return tracker


def runs_in(client: MlflowClient, name: str = "demo") -> list[Run]:
    """Return every run of an experiment."""
    return list(client.search_runs([client.get_experiment_by_name(name).experiment_id], run_view_type=ViewType.ALL))


def run_of(client: MlflowClient, trial: PlannedTrial) -> Run:
    """Return the one run of a trial."""
    runs = [run for run in runs_in(client) if run.info.lifecycle_stage == "active"]
    [run] = [run for run in runs if run.data.tags.get("stillhouse.trial") == trial.id]
    return run


def logged(client: MlflowClient, trial: PlannedTrial) -> dict[str, list[tuple[int, float]]]:
    """Return all that MLflow holds of a trial's metrics: (step, value) of each key, oldest first."""
    run = run_of(client, trial)
    histories = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    return {key: [(metric.step, metric.value) for metric in history] for key, history in histories.items()}


def per_epoch(history: list[Record]) -> dict[str, list[tuple[int, float]]]:
    """Return the same of a history, as it has to be in MLflow."""
    found: dict[str, list[tuple[int, float]]] = {}
    for item in history:
        for key, value in {"epoch": float(item.epoch), **item.metrics, **item.timing}.items():
            found.setdefault(key, []).append((item.epoch, value))
    return found


def without_best(metrics: dict[str, list[tuple[int, float]]]) -> dict[str, list[tuple[int, float]]]:
    return {key: found for key, found in metrics.items() if not key.startswith("best/")}


def artifact(client: MlflowClient, run: Run, path: str, folder: Path) -> Path:
    """Download an artifact."""
    folder.mkdir(exist_ok=True)
    return Path(client.download_artifacts(run.info.run_id, path, str(folder)))


# runs ------------------------------------------------------------------------------------------------------------------


def test_a_study_is_a_run_and_each_of_its_trials_a_child_of_it(plan, store, client):
    for trial in plan.trials:
        finish(trial, 0.1)
    tracker = sync(plan, store)
    parent, *others = sorted(runs_in(client), key=lambda run: run.info.run_id != tracker.study_run)
    assert parent.info.run_name == "demo"
    assert parent.data.tags["stillhouse.kind"] == "study"
    assert parent.data.tags["stillhouse.study_fingerprint"] == plan.fingerprint
    assert "mlflow.parentRunId" not in parent.data.tags
    children = {run.data.tags["stillhouse.trial"]: run for run in others}
    assert len(others) == len(children) == len(plan.trials) == 5
    for trial in plan.trials:
        tags = children[trial.id].data.tags
        assert tags["mlflow.parentRunId"] == tracker.study_run
        assert (tags["stillhouse.kind"], tags["stillhouse.role"]) == ("trial", trial.role)
        assert tags["stillhouse.method"] == trial.spec.method.kind
        assert tags["stillhouse.study"] == "demo"
        assert tags["stillhouse.dataset_digest"] == parent.data.tags["stillhouse.dataset_digest"]
        assert tags["team"] == "vision"
    names = [children[trial.id].info.run_name for trial in plan.trials]
    assert names[0].startswith("teacher-")
    assert names[1:] == ["none seed=0", "none seed=1", "bckd alpha2=4.0 seed=0", "bckd alpha2=4.0 seed=1"]


def test_runs_hold_their_settings_and_can_be_read_back(plan, store, client, tmp_path):
    student = plan.students[-1]
    finish(student, 0.1)
    tracker = sync(plan, store, student)
    run = run_of(client, student)
    assert run.data.params == flat_params(student)
    assert (run.data.params["seed"], run.data.params["method.alpha2"]) == ("1", "4.0")
    text = artifact(client, run, "trial.json", tmp_path / "a").read_text()
    assert TrialSpec.model_validate_json(text) == student.spec
    parent = client.get_run(tracker.study_run)
    assert (
        StudySpec.model_validate_json(artifact(client, parent, "study.json", tmp_path / "b").read_text()) == plan.study
    )
    for folder, owner in (("c", run), ("d", parent)):
        versions = json.loads(artifact(client, owner, "versions.json", tmp_path / folder).read_text())
        assert {"torch", "mmdet", "ray", "mlflow", "stillhouse"} <= set(versions)


def test_a_second_process_finds_the_same_runs(plan, store, client):
    for trial in plan.trials:
        finish(trial, 0.1, 0.2)
    first = sync(plan, store)
    before = {run.info.run_id: run.data.tags.get("stillhouse.trial") for run in runs_in(client)}
    second = sync(plan, store)
    assert second.study_run == first.study_run
    assert {run.info.run_id: run.data.tags.get("stillhouse.trial") for run in runs_in(client)} == before
    assert [second.run_id(trial) for trial in plan.trials] == [first.run_id(trial) for trial in plan.trials]


# metrics ---------------------------------------------------------------------------------------------------------------


def test_every_epoch_is_logged_once_however_often_it_is_copied(plan, store, client):
    student = plan.students[0]
    history = finish(student, 0.1 + 0.2, 0.7, None)
    tracker = sync(plan, store, student)
    tracker.sync(student)
    sync(plan, store, student)
    assert without_best(logged(client, student)) == per_epoch(history)


def test_a_growing_history_is_followed(plan, store, client):
    student = plan.students[0]
    history = [record(epoch, epoch / 7) for epoch in (1, 2, 3, 4)]
    tracker = Tracker(plan, store)
    for length in (0, 1, 1, 3):
        leave(student, history[:length])
        tracker.sync(student)
        assert without_best(logged(client, student)) == per_epoch(history[:length])
        assert run_of(client, student).info.status == "RUNNING"
    leave(student, history, Outcome("finished"))
    sync(plan, store, student)
    assert without_best(logged(client, student)) == per_epoch(history)
    assert logged(client, student)[f"best/{AP}"] == [(4, 4 / 7)]


def test_a_trial_that_is_trained_again_adds_nothing(plan, store, client):
    """Its directory was lost; the numbers are the same, the clock is not."""
    student = plan.students[0]
    first = finish(student, 0.1, 0.2)
    sync(plan, store, student)
    before = logged(client, student)
    shutil.rmtree(student.directory)
    again = [replace(item, wall_time=item.wall_time + 3600, timing={"time/train_s": 9.0}) for item in first]
    for length, outcome in ((1, None), (2, Outcome("finished"))):
        leave(student, again[:length], outcome)
        sync(plan, store, student)
    assert logged(client, student) == before
    assert without_best(before) == per_epoch(first)


def test_times_in_mlflow_are_those_of_the_epochs(plan, store, client):
    student = plan.students[0]
    finish(student, 0.1, 0.2)
    sync(plan, store, student)
    times = client.get_metric_history(run_of(client, student).info.run_id, AP)
    assert [metric.timestamp for metric in times] == [1_700_000_001_250, 1_700_000_002_250]


def test_a_teacher_that_is_only_evaluated_is_logged_at_epoch_0(plan, store, client):
    teacher = teacher_of(plan)
    leave(teacher, [record(0, 0.447, final=True)], Outcome("finished"))
    sync(plan, store, teacher)
    sync(plan, store, teacher)
    assert logged(client, teacher)[AP] == [(0, 0.447)]
    assert read_results(plan, client)[0].epoch == 0


def test_values_that_are_not_finite_do_not_stop_the_rest(plan, store, client):
    student = plan.students[0]
    odd = {"loss/total": math.nan, "loss/a": math.inf, "loss/b": -math.inf, AP: 0.25}
    leave(student, [record(1, None, metrics=odd), record(2, 0.5)], Outcome("finished"))
    sync(plan, store, student)
    sync(plan, store, student)
    found = logged(client, student)
    assert found[AP] == [(1, 0.25), (2, 0.5)]
    [(step, first), second] = found["loss/total"]
    assert (step, second[0]) == (1, 2)
    assert math.isnan(first)
    assert found["loss/a"][0][1] > 1e300
    assert found["loss/b"][0][1] < -1e300
    assert read_results(plan, client)[1].metrics[AP] == 0.5


def test_more_points_than_a_request_holds_arrive_once(plan, store, client):
    student = plan.students[0]
    wide = {f"voc/AP class {number}": number / 7 for number in range(1200)}
    history = [record(epoch, 0.1, metrics=wide) for epoch in (1, 2)]
    for length in (1, 2, 2):
        leave(student, history[:length])
        sync(plan, store, student)
    run = run_of(client, student)
    assert len(run.data.metrics) == len(wide) + 2
    for name in ("epoch", "time/train_s", "voc/AP class 0", "voc/AP class 999", "voc/AP class 1199"):
        points = client.get_metric_history(run.info.run_id, name)
        assert [(point.step, point.value) for point in points] == per_epoch(history)[name]


def test_metrics_with_odd_names_arrive(plan, store, client):
    student = plan.students[0]
    leave(student, [record(1, None, metrics={"ratio/a&b": 0.5, "focus/P3 (share)": 0.25, "grad_share/kd-1": 1.0})])
    sync(plan, store, student)
    found = logged(client, student)
    assert found["ratio/a:26:b"] == [(1, 0.5)]
    assert found["focus/P3 :28:share:29:"] == [(1, 0.25)]
    assert found["grad_share/kd-1"] == [(1, 1.0)]


# ends ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome("finished"), "FINISHED"),
        (Outcome("stopped", "after epoch 1"), "KILLED"),
        (Outcome("failed", "loss is nan"), "FAILED"),
    ],
    ids=lambda value: str(value),
)
def test_a_run_ends_as_its_trial_did(plan, store, client, outcome, status):
    student = plan.students[0]
    leave(student, [record(1, 0.5)], outcome)
    sync(plan, store, student)
    run = run_of(client, student)
    assert run.info.status == status
    assert run.data.tags["stillhouse.status"] == outcome.status
    assert run.data.tags["stillhouse.reason"] == outcome.reason


def test_a_failed_run_keeps_the_traceback(plan, store, client, tmp_path):
    student = plan.students[0]
    leave(student, [], Outcome("failed", "why"))
    (student.directory / "error.txt").write_text("Traceback ...")
    sync(plan, store, student)
    assert artifact(client, run_of(client, student), "error.txt", tmp_path / "a").read_text() == "Traceback ..."


def test_the_best_epoch_and_the_student_of_it_are_kept(plan, store, client, tmp_path):
    student = plan.students[0]
    history = finish(student, 0.2, 0.6, 0.6, 0.1)
    sync(plan, store, student)
    metrics = run_of(client, student).data.metrics
    assert metrics["best/epoch"] == 2.0
    assert {key: metrics[f"best/{key}"] for key in history[1].metrics} == history[1].metrics
    folder = artifact(client, run_of(client, student), "student", tmp_path / "a")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: (student.directory / name).read_bytes() for name in (BEST, CONFIG)
    }


def test_a_trial_that_fails_and_later_finishes_has_one_finished_run(plan, store, client, tmp_path):
    student = plan.students[0]
    history = [record(1, 0.3), record(2, 0.2), record(3, 0.4)]
    for length, outcome in ((2, Outcome("failed", "out of memory")), (3, Outcome("finished"))):
        leave(student, history[:length], outcome)
        sync(plan, store, student)
    run = run_of(client, student)
    assert run.info.status == "FINISHED"
    assert (run.data.tags["stillhouse.status"], run.data.tags["stillhouse.reason"]) == ("finished", "")
    found = logged(client, student)
    assert without_best(found) == per_epoch(history)
    assert found[f"best/{AP}"] == [(1, 0.3), (3, 0.4)]
    assert run.data.metrics[f"best/{AP}"] == 0.4
    assert run.data.metrics["best/epoch"] == 3.0
    best = artifact(client, run, f"student/{BEST}", tmp_path / "a")
    assert best.read_bytes() == (student.directory / BEST).read_bytes()


def test_a_trial_that_fails_again_says_the_new_reason(plan, store, client):
    student = plan.students[0]
    for reason in ("out of memory", "disk full"):
        leave(student, [record(1, 0.3)], Outcome("failed", reason))
        sync(plan, store, student)
    assert run_of(client, student).data.tags["stillhouse.reason"] == "disk full"
    assert logged(client, student)[f"best/{AP}"] == [(1, 0.3)]


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["finished"] * 5, "FINISHED"),
        (["finished"] * 4 + ["stopped"], "FINISHED"),
        (["finished"] * 4 + ["failed"], "FAILED"),
        (["failed"] + ["new"] * 4, "FAILED"),
        (["finished"] * 4 + ["unfinished"], "KILLED"),
        (["new"] * 5, "KILLED"),
    ],
    ids=lambda value: str(value),
)
def test_the_study_ends_as_its_trials_did(plan, store, client, statuses, status):
    for trial, name in zip(plan.trials, statuses, strict=True):
        if name != "new":
            leave(trial, [record(1, 0.1)], None if name == "unfinished" else Outcome(name))
    tracker = Tracker(plan, store)
    assert client.get_run(tracker.study_run).info.status == "RUNNING"
    tracker.finish()
    assert client.get_run(tracker.study_run).info.status == status


def test_a_study_that_was_cut_short_goes_on_in_its_own_run(plan, store, client):
    first = Tracker(plan, store)
    first.finish()
    second = Tracker(plan, store)
    assert second.study_run == first.study_run
    assert client.get_run(second.study_run).info.status == "RUNNING"
    for trial in plan.trials:
        finish(trial, 0.1)
    second.finish()
    ended = client.get_run(second.study_run).info
    assert ended.status == "FINISHED"
    sync(plan, store).finish()  # nothing was left to do: the study did not last until now
    assert client.get_run(second.study_run).info.end_time == ended.end_time


# reading back ----------------------------------------------------------------------------------------------------------


def expected(trial: PlannedTrial, best: Record, last: Record) -> dict[str, object]:
    """Return a trial as the commands must print it, from its directory alone."""

    def scores(item: Record) -> dict[str, float]:
        return {key: value for key, value in item.metrics.items() if key.startswith("coco/")}

    return {
        "id": trial.id, "role": trial.role, "method": trial.spec.method.kind, "params": trial.params,
        "seed": trial.spec.seed, "status": "finished", "epoch": last.epoch, "best_epoch": best.epoch, "metrics": scores(best),
        "last": scores(last), "checkpoint": str(trial.directory / BEST), "counts": True, "cost": None,
        "prefix": None,
    }  # fmt: skip


def test_results_are_the_directories_numbers_to_the_last_bit(plan, store, client, stillhouse, tmp_path):
    wanted = []
    for number, trial in enumerate(plan.trials):
        history = finish(trial, 0.1 + 0.2 + number / 7, 1 / 3)
        wanted.append(expected(trial, max(history, key=lambda item: item.metrics[AP]), history[-1]))
    sync(plan, store)
    results = [result.to_json() for result in read_results(plan, client)]
    runs = find_runs(client, [trial.id for trial in plan.trials])
    for found, item in zip(results, wanted, strict=True):
        assert found == item | {"mlflow_run_id": runs[str(item["id"])].info.run_id}
    sets = [part for setting in SMALL for part in ("--set", setting)]
    answer = stillhouse("compare", tmp_path / "study.yaml", "--store", store.root, "--json", *sets)
    assert answer.code == 0, answer.err
    printed = answer.json
    for item in printed["trials"]:
        item.pop("events", None)  # stands in the store only
    summary = summary_json(read_results(plan, client))
    assert printed == {"study": "demo", "fingerprint": plan.fingerprint, "trials": results, **summary}
    assert [
        result.to_json() for result in results_on_disk(plan, {i: run.info.run_id for i, run in runs.items()})
    ] == results


def test_compare_prints_mean_and_spread(plan, store, stillhouse, tmp_path):
    for trial, ap in zip(plan.trials, (0.5, 0.2, 0.3, 0.4, 0.4), strict=True):
        finish(trial, ap)
    sync(plan, store)
    sets = [part for setting in SMALL for part in ("--set", setting)]
    answer = stillhouse("compare", tmp_path / "study.yaml", "--store", store.root, *sets)
    rows = [line.split() for line in answer.out.splitlines()]
    assert (answer.code, answer.complaints) == (0, [])
    assert [row[:2] for row in rows[1:]] == [["teacher", "1"], ["none", "2"], ["bckd", "alpha2=4.0"]]
    assert rows[2][4:7] == ["25.0", "±", "7.1"]
    assert rows[3][-2:] == ["+15.0", "1"]  # the rank comes last


def test_reading_writes_nothing(plan, store, client):
    finish(plan.students[0], 0.1)
    sync(plan, store, plan.students[0])
    before = store.database.read_bytes()
    read_results(plan, client)
    assert store.database.read_bytes() == before


def test_trials_that_were_not_run_are_new_and_those_that_run_unfinished(plan, store, client):
    assert {result.status for result in read_results(plan, client)} == {"new"}
    leave(plan.students[0], [record(1, 0.1)])
    sync(plan, store, plan.students[0])
    results = read_results(plan, client)
    assert [result.status for result in results] == ["new", "unfinished", "new", "new", "new"]
    assert (results[1].epoch, results[1].last[AP], results[1].metrics) == (1, 0.1, {})
    assert results[0] == TrialResult(
        teacher_of(plan).id, "teacher", "none", {}, 0, "new", None, {}, {}, mlflow_run_id=None, checkpoint=None
    )


def test_a_student_that_finds_nothing_can_be_the_best(plan, store, client):
    finish(teacher_of(plan), 0.9)
    finish(plan.students[2], 0.0)
    sync(plan, store, teacher_of(plan), plan.students[2])
    best = best_student(read_results(plan, client))
    assert best is not None
    assert (best.id, best.metrics[AP]) == (plan.students[2].id, 0.0)


def test_a_trial_of_two_studies_is_read_where_it_is_furthest(plan, store, client, tmp_path):
    """The first study is interrupted, the second finishes their common trial: the first one's run is left behind."""
    student = plan.students[0]
    leave(student, [record(1, 0.1)])
    sync(plan, store, student)
    other = plan_text(tmp_path, VALID, *SMALL, "name=other", store=store.root)
    assert student.id in {trial.id for trial in other.trials}
    finish(student, 0.1, 0.2)
    sync(other, store, student)
    assert len(runs_in(client)) == len(runs_in(client, "other")) == 2
    for asking in (plan, other):
        result = read_results(asking, client)[1]
        assert (result.status, result.epoch, result.metrics[AP]) == ("finished", 2, 0.2)


def test_an_extended_study_reads_the_trials_that_it_shares(plan, store, client, tmp_path):
    for trial in plan.trials:
        finish(trial, 0.1)
    first = sync(plan, store)
    longer = plan_text(tmp_path, VALID, *SMALL, "search.seeds=[0, 1, 2]", store=store.root)
    second = sync(longer, store, *(trial for trial in longer.trials if trial.status != "new"))
    assert second.study_run != first.study_run
    assert len(runs_in(client)) == 2 + len(plan.trials)
    assert [result.status for result in read_results(longer, client)].count("finished") == len(plan.trials)


# export ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["best", "id"])
def test_a_student_is_exported_from_mlflow_when_its_directory_is_gone(plan, store, stillhouse, tmp_path, wanted):
    student = plan.students[2]
    finish(plan.students[0], 0.1)
    finish(student, 0.4)
    sync(plan, store, *plan.students[:3])
    weights = (student.directory / BEST).read_bytes()
    shutil.rmtree(store.root / "trials")
    out = tmp_path / "out"
    sets = [part for setting in SMALL for part in ("--set", setting)]
    trial = student.id if wanted == "id" else "best"
    arguments = ("export", tmp_path / "study.yaml", "--store", store.root, "--trial", trial, "--to", out, *sets)
    answer = stillhouse(*arguments)
    assert answer.code == 0, answer.err
    assert (out / "student.pth").read_bytes() == weights
    assert f"model = dict(type='{student.id}')\n" in (out / "config.py").read_text()
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.py", "provenance.json", "student.pth"]
    assert "| this student, epoch 1 | seed 0 | 40.0 |" in (out / "README.md").read_text()


def test_a_student_that_is_nowhere_is_one_sentence(plan, store, stillhouse, tmp_path):
    student = plan.students[0]
    leave(student, [record(1, 0.1)])  # it has a checkpoint, but no config yet
    sync(plan, store, student)
    sets = [part for setting in SMALL for part in ("--set", setting)]
    command = ("export", tmp_path / "study.yaml", "--store", store.root, "--to", tmp_path / "out", *sets)
    answer = stillhouse(*command, "--trial", student.id)
    assert (answer.code, answer.complaints) == (
        1,
        [f"stillhouse: trial {student.id} has no student yet, neither in the store nor in MLflow"],
    )
    answer = stillhouse(*command)
    assert answer.complaints == ["stillhouse: no student of this study has been evaluated yet: run the study first"]
    assert not list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else True


# what MLflow refuses ---------------------------------------------------------------------------------------------------


def test_an_experiment_that_was_deleted_is_one_sentence(plan, store, client):
    tracker = Tracker(plan, store)
    tracker.connect()
    client.delete_experiment(client.get_experiment_by_name("demo").experiment_id)
    with pytest.raises(OperationError, match=r"^experiment demo is deleted in MLflow: .* experiments restore"):
        Tracker(plan, store).connect()
    leave(plan.students[0], [record(1, 0.1)])
    with pytest.raises(OperationError, match=r"^the tracking store failed: "):
        tracker.sync(plan.students[0])


def test_a_name_that_mlflow_does_not_take_is_one_sentence(store, tmp_path):
    wrong = plan_text(tmp_path, VALID, *SMALL, f"tracking.experiment={'x' * 600}", store=store.root)
    with pytest.raises(OperationError, match=r"^the tracking store failed: .*exceeds the maximum length"):
        Tracker(wrong, store).connect()


def test_a_database_of_the_users_own_holds_the_runs_and_the_store_the_artifacts(store, tmp_path, monkeypatch, migrated):
    monkeypatch.chdir(tmp_path)
    database = tmp_path / "shared.db"
    shutil.copyfile(migrated, database)
    plan = plan_text(tmp_path, VALID, *SMALL, f"tracking.uri='sqlite:///{database}'", store=store.root)
    finish(plan.students[0], 0.1)
    sync(plan, store, plan.students[0])
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    assert run_of(client, plan.students[0]).info.status == "FINISHED"
    assert list(store.artifacts.rglob(BEST))
    assert not (tmp_path / "mlruns").exists()
