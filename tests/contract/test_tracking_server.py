"""The same promises over HTTP: real MLflow servers on loopback, on SQLite and on PostgreSQL."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.results.metric_names import COCO_COLUMNS as COLUMNS
from orchestrator.tracking.artifacts import download_student
from orchestrator.tracking.client import open_client
from orchestrator.tracking.results import read_results
from orchestrator.tracking.tags import FINGERPRINT, KIND, TRIAL
from orchestrator.tracking.tracker import Tracker
from tests.contract.mlflow_server import MlflowServer
from tests.contract.postgres import postgres
from tests.contract.test_tracking import (  # noqa: F401  collected here once more, over HTTP
    SMALL,
    finish,
    run_of,
    runs_in,
    sync,
    test_a_failed_run_keeps_the_traceback,
    test_a_growing_history_is_followed,
    test_a_run_ends_as_its_trial_did,
    test_a_second_process_finds_the_same_runs,
    test_a_student_that_finds_nothing_can_be_the_best,
    test_a_study_is_a_run_and_each_of_its_trials_a_child_of_it,
    test_a_study_that_was_cut_short_goes_on_in_its_own_run,
    test_a_teacher_that_is_only_evaluated_is_logged_at_epoch_0,
    test_a_trial_that_fails_again_says_the_new_reason,
    test_a_trial_that_fails_and_later_finishes_has_one_finished_run,
    test_a_trial_that_is_trained_again_adds_nothing,
    test_every_epoch_is_logged_once_however_often_it_is_copied,
    test_metrics_with_odd_names_arrive,
    test_more_points_than_a_request_holds_arrive_once,
    test_runs_hold_their_settings_and_can_be_read_back,
    test_the_best_epoch_and_the_student_of_it_are_kept,
    test_times_in_mlflow_are_those_of_the_epochs,
    test_trials_that_were_not_run_are_new_and_those_that_run_unfinished,
    test_values_that_are_not_finite_do_not_stop_the_rest,
)
from tests.contract.test_tracking_shown import (  # noqa: F401  the same
    test_a_failed_trial_has_models_only_once_it_has_finished,
    test_a_trial_whose_last_epoch_is_its_best_has_one_model,
    test_an_experiment_is_one_of_model_training_unless_somebody_says_otherwise,
    test_each_run_says_what_it_is,
    test_lost_messages_double_nothing_and_leave_nothing_out,
    test_models_and_data_are_there_once_however_often_they_are_copied,
    test_models_that_were_made_twice_become_one,
    test_the_studys_run_has_figures_of_its_own_once,
    test_the_studys_run_leads_to_its_page,
    test_the_studys_run_leads_to_its_trials,
    test_trials_on_the_same_data_name_the_same_datasets,
)
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import BEST, CONFIG


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Run an MLflow server on each kind of database."""
    with ExitStack() as stack:
        database = stack.enter_context(postgres()) if request.param == "postgresql" else None
        server = MlflowServer(tmp_path_factory.mktemp("server"), database)
        stack.callback(server.kill)
        server.start()
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def plan(tmp_path: Path, store: Store, server: MlflowServer) -> Plan:
    return plan_text(tmp_path, VALID, *SMALL, f"tracking.uri={server.address}", store=store.root)


@pytest.fixture
def client(server: MlflowServer) -> Iterator[MlflowClient]:
    """Give a client, and afterwards put the test's experiment away: all tests use the same trials."""
    client = MlflowClient(tracking_uri=server.address)
    yield client
    found = client.get_experiment_by_name("demo")
    if found is not None:
        client.rename_experiment(found.experiment_id, uuid.uuid4().hex)
        client.delete_experiment(found.experiment_id)


def test_students_come_back_over_http(plan: Plan, store: Store, client: MlflowClient, tmp_path: Path) -> None:
    for number, trial in enumerate(plan.trials):
        finish(trial, 0.1 + number / 30, 0.2 + number / 30)
    for _ in range(2):
        sync(plan, store).finish()
    results = read_results(plan, open_client(plan, store))
    assert [result.status for result in results] == ["finished"] * len(plan.trials)
    assert [result.metrics[COLUMNS["AP"]] for result in results] == [0.2 + i / 30 for i in range(len(plan.trials))]
    assert len({result.mlflow_run_id for result in results}) == len(plan.trials)
    folder = download_student(client, plan.trials[0].id, tmp_path)
    assert (folder / BEST).read_bytes() == (plan.trials[0].directory / BEST).read_bytes()
    assert (folder / CONFIG).exists()
    assert not store.database.exists()


def test_an_upload_that_was_cut_short_is_no_student(plan: Plan, store: Store, client: MlflowClient, tmp_path: Path):
    student = plan.students[0]
    finish(student, 0.1)
    sync(plan, store, student)
    run = run_of(client, student).info.run_id
    whole = (student.directory / BEST).read_bytes()
    (tmp_path / BEST).write_bytes(whole[:-1])  # what a server keeps of a connection that broke
    client.log_artifact(run, str(tmp_path / BEST), "student")
    (tmp_path / "a").mkdir()
    with pytest.raises(OperationError, match="only partly in MLflow"):
        download_student(client, student.id, tmp_path / "a")


def test_a_run_whose_creation_came_late_goes_away(plan: Plan, store: Store, client: MlflowClient) -> None:
    """A request to create a run was repeated, and then the first one arrived as well."""
    student = plan.students[0]
    tracker = Tracker(plan, store)
    first = tracker.run_id(student)
    experiment = client.get_experiment_by_name("demo").experiment_id
    for begun in (1, None):  # its time may be before or after that of the run in use
        client.create_run(experiment, start_time=begun, tags={TRIAL: student.id, KIND: "trial"})
        client.create_run(experiment, start_time=begun, tags={FINGERPRINT: plan.fingerprint, KIND: "study"})
    finish(student, 0.1)
    tracker.sync(student)
    tracker.finish()
    assert client.get_run(tracker.study_run).info.status == "KILLED"  # other trials have not begun
    assert run_of(client, student).info.run_id == first
    active = {run.info.run_id for run in runs_in(client) if run.info.lifecycle_stage == "active"}
    assert active == {first, tracker.study_run}
