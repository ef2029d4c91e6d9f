"""What MLflow's own pages show of a study: descriptions, data, models by epoch and links; once, whatever goes wrong."""

import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException, get_error_code
from mlflow.tracking import MlflowClient

from orchestrator.commands.dashboard import HOST, PORT
from orchestrator.study.schema import TrackingSection
from orchestrator.tracking.faults import Unreachable
from orchestrator.tracking.notes import MOST_COMPARED, study_note
from orchestrator.tracking.tracker import Tracker
from tests.contract.test_tracking import (  # noqa: F401  fixtures among them
    SMALL,
    client,
    finish,
    leave,
    logged,
    migrated,
    per_epoch,
    plan,
    record,
    run_of,
    store,
    sync,
    without_best,
)
from tests.unit.orchestrator.planning import plan_text, teacher_of
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import LAST, Outcome

LOST = MlflowException("the reply was lost")  # an internal error: it is asked again


def models_of(mlflow: MlflowClient, run_id: str) -> list[LoggedModel]:
    experiment = mlflow.get_run(run_id).info.experiment_id
    return list(mlflow.search_logged_models([experiment], f"source_run_id = '{run_id}'"))


def assert_shown_once(mlflow: MlflowClient, trial: Any, history: list[Any], best: int) -> None:
    """Compare the run's models and data with what a trial of three epochs leaves."""
    run = mlflow.get_run(run_of(mlflow, trial).info.run_id)
    models = {model.tags["stillhouse.checkpoint"]: model for model in models_of(mlflow, run.info.run_id)}
    assert len(models_of(mlflow, run.info.run_id)) == len(models) == 2
    for file, epoch in (("best.pth", best), (LAST, 3)):
        model, scores = models[file], history[epoch - 1].metrics
        assert model.params["epoch"] == str(epoch)
        assert str(model.status) == "READY"
        found = {metric.key: (metric.step, metric.value) for metric in model.metrics or ()}
        assert found == {key: (epoch, value) for key, value in scores.items() if key.startswith("coco/")}
    outputs = [(output.model_id, output.step) for output in run.outputs.model_outputs]
    assert sorted(outputs) == sorted([(models["best.pth"].model_id, best), (models[LAST].model_id, 3)])
    assert models["best.pth"].params["checkpoint"] == f"runs:/{run.info.run_id}/student/best.pth"
    assert len(run.inputs.dataset_inputs) == 2
    assert without_best(logged(mlflow, trial)) == per_epoch(history)


def finished(trial: Any) -> list[Any]:
    history = finish(trial, 0.2, 0.6, 0.4)
    (trial.directory / LAST).write_bytes(b"the last student")
    return history


def test_models_and_data_are_there_once_however_often_they_are_copied(plan, store, client):  # noqa: F811
    student = plan.students[-1]
    history = finished(student)
    for _ in range(2):
        sync(plan, store, student)
    assert_shown_once(client, student, history, best=2)


@pytest.mark.parametrize(
    "call", ["log_inputs", "create_logged_model", "finalize_logged_model", "log_outputs", "log_batch", "set_terminated"]
)
@pytest.mark.parametrize("arrived", [True, False], ids=["reply-lost", "request-lost"])
def test_lost_messages_double_nothing_and_leave_nothing_out(plan, store, client, monkeypatch, call, arrived):  # noqa: F811
    """Lose each message of a kind once, the request or the reply, and go on as another process would."""
    student = plan.students[-1]
    history = finished(student)
    real, lost = getattr(MlflowClient, call), set()

    def losing(self: MlflowClient, *arguments: Any, **options: Any) -> Any:
        what = repr((arguments, sorted(options)))
        if what in lost:
            return real(self, *arguments, **options)
        lost.add(what)
        if arrived:
            real(self, *arguments, **options)
        raise LOST

    monkeypatch.setattr(MlflowClient, call, losing)
    for _ in range(20):
        try:
            sync(plan, store, student)
            break
        except Unreachable:
            continue
    else:
        pytest.fail("it never came to its end")
    monkeypatch.undo()
    assert lost
    assert_shown_once(client, student, history, best=2)


def test_models_that_were_made_twice_become_one(plan, store, client):  # noqa: F811
    """A creation is carried out late, after another one was sent."""
    student = plan.students[-1]
    history = finished(student)
    tracker = Tracker(plan, store)
    run_id = tracker.run_id(student)
    for _ in range(2):
        client.create_logged_model(
            client.get_run(run_id).info.experiment_id, name="late", source_run_id=run_id,
            tags={"stillhouse.checkpoint": "best.pth"}, params={"epoch": "2", "checkpoint": f"runs:/{run_id}/student/best.pth"},
        )  # fmt: skip
    tracker.sync(student)
    assert_shown_once(client, student, history, best=2)


def test_a_trial_whose_last_epoch_is_its_best_has_one_model(plan, store, client):  # noqa: F811
    student = plan.students[0]
    finish(student, 0.2, 0.6)
    (student.directory / LAST).write_bytes(b"the same student")
    sync(plan, store, student)
    [model] = models_of(client, run_of(client, student).info.run_id)
    assert model.tags["stillhouse.checkpoint"] == "best.pth"


def test_a_failed_trial_has_models_only_once_it_has_finished(plan, store, client):  # noqa: F811
    student = plan.students[0]
    leave(student, [record(1, 0.3)], Outcome("failed", "why"))
    sync(plan, store, student)
    assert models_of(client, run_of(client, student).info.run_id) == []
    leave(student, [record(1, 0.3), record(2, 0.5)], Outcome("finished"))
    sync(plan, store, student)
    [model] = models_of(client, run_of(client, student).info.run_id)
    assert model.params["epoch"] == "2"


def test_a_server_without_models_gets_everything_else(plan, store, client, monkeypatch):  # noqa: F811
    def unknown(*_: Any, **__: Any) -> Any:
        raise MlflowException("no such endpoint", error_code=get_error_code(404))  # as of a server before MLflow 3

    student = plan.students[0]
    history = finished(student)
    monkeypatch.setattr(MlflowClient, "search_logged_models", unknown)
    sync(plan, store, student)
    assert without_best(logged(client, student)) == per_epoch(history)
    assert run_of(client, student).info.status == "FINISHED"


def test_trials_on_the_same_data_name_the_same_datasets(plan, store, client):  # noqa: F811
    first, second = plan.students[:2]
    for trial in (first, second):
        finish(trial, 0.1)
    sync(plan, store, first, second)

    def inputs(trial: Any) -> list[tuple[str, str, str]]:
        run = client.get_run(run_of(client, trial).info.run_id)
        return sorted((i.dataset.name, i.dataset.digest, i.tags[0].value) for i in run.inputs.dataset_inputs)

    assert inputs(first) == inputs(second)
    assert [(name, context) for name, _, context in inputs(first)] == [
        ("shapes train", "training"),
        ("shapes val", "evaluation"),
    ]
    digest = run_of(client, first).data.tags["stillhouse.dataset_digest"]
    assert {found for _, found, _ in inputs(first)} == {digest[:36]}


# descriptions and links -------------------------------------------------------------------------------------------------


def note(run: Any) -> str:
    return run.data.tags["mlflow.note.content"]


def test_each_run_says_what_it_is(plan, store, client):  # noqa: F811
    for trial in plan.trials:
        finish(trial, 0.1)
    sync(plan, store)
    assert note(run_of(client, teacher_of(plan))).startswith("The teacher of study demo")
    alone, distilled = note(run_of(client, plan.students[0])), note(run_of(client, plan.students[-1]))
    assert alone.endswith("trained alone, to compare with. Seed 0.")
    assert distilled.endswith("distilled by bckd alpha2=4.0. Seed 1.")


def links_in(text: str) -> dict[str, str]:
    parts = [part.split("](") for part in text.split("[")[1:]]
    return {name: urllib.parse.unquote(rest.split(")")[0]) for name, rest in parts}


def test_the_studys_run_leads_to_its_trials(plan, store, client):  # noqa: F811
    for trial in plan.trials:
        finish(trial, 0.1)
    for _ in range(2):
        tracker = sync(plan, store)
        tracker.finish()
    parent = client.get_run(tracker.study_run)
    links = links_in(note(parent))
    assert len(links) == 4
    place, _, wanted = links["all trials"].partition("?searchFilter=")
    assert place == f"#/experiments/{parent.info.experiment_id}/runs"
    found = client.search_runs([parent.info.experiment_id], wanted)
    assert {run.data.tags["stillhouse.trial"] for run in found} == {trial.id for trial in plan.trials}
    ids = json.loads(links["settings and results"].partition("?runs=")[2].partition("&")[0])
    assert set(ids) == {run.info.run_id for run in found}


def test_the_studys_run_leads_to_its_page(tmp_path, plan, store, client):  # noqa: F811
    for trial in plan.trials:
        finish(trial, 0.1)
    tracker = sync(plan, store)
    tracker.finish()
    assert f"(http://127.0.0.1:8280/#study={tracker.study_run})" in note(client.get_run(tracker.study_run))
    uri = plan.study.tracking.uri
    sets = [*SMALL, "tracking.dashboard=https://pages.example.org/team", *([f"tracking.uri={uri}"] if uri else [])]
    moved = plan_text(tmp_path, VALID, *sets, store=store.root)
    assert moved.fingerprint == plan.fingerprint
    sync(moved, store).finish()
    after = note(client.get_run(tracker.study_run))
    assert f"(https://pages.example.org/team/#study={tracker.study_run})" in after
    assert "8280" not in after


def test_the_link_to_a_page_is_where_the_command_serves_it() -> None:
    assert f"http://{HOST}:{PORT}/" == TrackingSection().dashboard


def test_an_experiment_is_one_of_model_training_unless_somebody_says_otherwise(plan, store, client):  # noqa: F811
    """MLflow's pages show an experiment's runs, charts and models by this tag; without it they guess, or ask."""
    tracker = Tracker(plan, store)
    experiment = client.get_run(tracker.study_run).info.experiment_id
    kind = "mlflow.experimentKind"
    assert client.get_experiment(experiment).tags[kind] == "custom_model_development"
    client.set_experiment_tag(experiment, kind, "genai_development")
    Tracker(plan, store).connect()
    assert client.get_experiment(experiment).tags[kind] == "genai_development"


def test_an_experiment_that_was_there_before_becomes_one_of_model_training(plan, store, client, tmp_path):  # noqa: F811
    name = plan.study.tracking.experiment or plan.study.name
    experiment = client.create_experiment(name, artifact_location=(tmp_path / "artifacts").as_uri())
    Tracker(plan, store).connect()
    assert client.get_experiment(experiment).tags["mlflow.experimentKind"] == "custom_model_development"


def test_the_studys_run_has_figures_of_its_own_once(plan, store, client):  # noqa: F811
    """The table of runs, MLflow's first screen, says how good, how much better, how many and how many failed."""
    teacher, alone = teacher_of(plan), [trial for trial in plan.students if trial.spec.teacher is None]
    distilled = [trial for trial in plan.students if trial not in alone]
    finish(teacher, 0.6)
    for trial, value in zip((*alone, *distilled), (0.2, 0.3, 0.5, 0.4), strict=True):
        finish(trial, 0.1, value)
    for _ in range(2):
        tracker = sync(plan, store)
        tracker.finish()
    run = client.get_run(tracker.study_run)
    assert run.data.metrics == pytest.approx(
        {"trials": 5, "trials_finished": 5, "trials_failed": 0, "best/coco/bbox_mAP": 0.5, "gain/coco/bbox_mAP": 0.2}
    )
    best = client.search_runs([run.info.experiment_id], f"tags.`stillhouse.trial` = '{distilled[0].id}'")[0]
    assert best.data.metrics["best/coco/bbox_mAP"] == run.data.metrics["best/coco/bbox_mAP"]
    assert [len(client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics] == [1] * 5
    kept = json.loads(Path(client.download_artifacts(run.info.run_id, "results.json")).read_text())
    gains = {row["vs_none"] for row in kept["rows"] if distilled[0].id in row["trials"]}
    assert gains == {run.data.metrics["gain/coco/bbox_mAP"]}


def test_a_study_without_results_has_counts_only(plan, store, client):  # noqa: F811
    leave(plan.students[0], [record(1, 0.3)], Outcome("failed", "why"))
    tracker = sync(plan, store, plan.students[0])
    tracker.finish()
    expected = {"trials": 5.0, "trials_finished": 0.0, "trials_failed": 1.0}
    assert client.get_run(tracker.study_run).data.metrics == expected
    leave(plan.students[0], [record(1, 0.3), record(2, 0.5)], Outcome("finished"))
    sync(plan, store, plan.students[0]).finish()
    assert client.get_run(tracker.study_run).data.metrics == {
        "trials": 5.0, "trials_finished": 1.0, "trials_failed": 0.0, "best/coco/bbox_mAP": 0.5,
    }  # fmt: skip


def test_a_description_that_somebody_wrote_stays(plan, store, client):  # noqa: F811
    finish(plan.students[0], 0.1)
    tracker = sync(plan, store, plan.students[0])
    tracker.finish()
    before = note(client.get_run(tracker.study_run))
    client.set_tag(tracker.study_run, "mlflow.note.content", f"Mine.{before}")
    sync(plan, store, plan.students[0]).finish()
    assert note(client.get_run(tracker.study_run)).startswith("Mine.")
    assert note(client.get_run(tracker.study_run)).count("[all trials]") == 1


@pytest.mark.parametrize(("runs", "links"), [(1, 2), (2, 3), (MOST_COMPARED, 3), (MOST_COMPARED + 1, 2)])
def test_only_few_runs_are_compared_side_by_side(runs: int, links: int) -> None:
    text = study_note("", "1", "f" * 64, [f"{number:032x}" for number in range(runs)], "http://127.0.0.1:8280/#study=1")
    assert len(links_in(text)) == links + 1
    assert len(text) < 4000


def test_a_description_at_mlflows_limit_is_left_as_it_is() -> None:
    assert study_note("x" * 7990, "1", "f" * 64, [], "http://127.0.0.1:8280/#study=1") == "x" * 7990
