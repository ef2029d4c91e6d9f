"""A store is a folder: moved or copied, it goes on where it is, and nothing is written to where it was."""

import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.tracking.artifacts import download_student
from orchestrator.tracking.client import open_results
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from orchestrator.tracking.reading import read_study
from orchestrator.tracking.tracker import Tracker
from tests.contract.test_tracking import SMALL, finish, leave, migrated, record, sync  # noqa: F401
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import BEST, LAST, Outcome

SHARED = "tracking.uri=sqlite:///{}/shared.db"


@pytest.fixture
def moved(tmp_path: Path, migrated: Path, request: pytest.FixtureRequest):  # noqa: F811
    """Return two plans of one study, and their stores: one that was in the first place, and has gone to the second."""
    sets = [*SMALL, *(one.format(tmp_path) for one in getattr(request, "param", ()))]
    before, after = Store(tmp_path / "mlartifacts" / "a"), Store(tmp_path / "b c")
    before.root.mkdir(parents=True)
    shutil.copyfile(migrated, tmp_path / "shared.db" if len(sets) > len(SMALL) else before.database)
    plan = plan_text(tmp_path, VALID, *sets, store=before.root)
    for trial in plan.students[:2]:
        finish(trial, 0.1, 0.2)
        (trial.directory / LAST).write_bytes(b"last")
    leave(plan.students[2], [record(1, 0.1)])
    sync(plan, before, *plan.students[:3])
    before.root.rename(after.root)
    before.root.touch()  # whoever writes there fails
    return plan_text(tmp_path, VALID, *sets, store=after.root), after


@pytest.mark.parametrize("moved", [(), (SHARED,)], indirect=True, ids=["own database", "shared database"])
def test_a_moved_store_goes_on_where_it_is(moved, tmp_path):
    plan, store = moved
    leave(plan.students[2], [record(1, 0.1), record(2, 0.4)], Outcome("finished"))
    finish(plan.students[3], 0.5)
    tracker = sync(plan, store, *plan.students)
    client = tracker.connect()
    for trial in plan.students:
        run = client.get_run(tracker.run_id(trial))
        assert run.info.artifact_uri.startswith(store.artifacts.as_uri() + "/")
        folder = tmp_path / trial.id
        folder.mkdir()
        assert (download_student(client, trial.id, folder) / BEST).read_bytes() == (trial.directory / BEST).read_bytes()
    assert (tmp_path / "mlartifacts" / "a").read_bytes() == b""
    experiment = client.get_experiment_by_name("demo")
    assert experiment.artifact_location == store.artifacts.as_uri()
    models = client.search_logged_models([experiment.experiment_id], max_results=100)
    assert models
    assert {model.artifact_location.startswith(store.artifacts.as_uri()) for model in models} == {True}


def test_a_moved_store_is_read_where_it_is_and_nothing_is_written(moved, tmp_path):
    plan, store = moved
    database = store.database.read_bytes()
    shutil.rmtree(store.trials)
    client = open_results(plan, store)
    (tmp_path / "out").mkdir()
    assert (download_student(client, plan.students[0].id, tmp_path / "out") / BEST).read_bytes()
    tracking = MlflowTracking(store.tracking_uri)
    run = next(run for run in tracking.runs() if run.trial == plan.students[0].id)
    assert tracking.artifact(run.run_id, f"student/{BEST}", 1000)
    assert store.database.read_bytes() == database


def test_a_copy_of_a_store_leaves_the_first_alone(store_in_a, tmp_path):
    store = store_in_a
    copy = Store(tmp_path / "copy")
    shutil.copytree(store.root, copy.root)
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    again = plan_text(tmp_path, VALID, *SMALL, store=copy.root)
    finish(again.students[1], 0.3)
    sync(again, copy, again.students[1])
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before
    assert list(copy.artifacts.rglob(BEST))


@pytest.fixture
def store_in_a(tmp_path: Path, migrated: Path):  # noqa: F811
    store = Store(tmp_path / "a")
    store.root.mkdir()
    shutil.copyfile(migrated, store.database)
    plan = plan_text(tmp_path, VALID, *SMALL, store=store.root)
    finish(plan.students[0], 0.1)
    sync(plan, store, plan.students[0])
    return store


def test_artifacts_that_somebody_keeps_elsewhere_stay_there(store_in_a, tmp_path):
    store = store_in_a
    client = MlflowClient(store.tracking_uri)
    client.create_experiment("mine", artifact_location=(tmp_path / "elsewhere" / "mlartifacts" / "mine").as_uri())
    store.root.rename(tmp_path / "b")
    Tracker(plan_text(tmp_path, VALID, *SMALL, store=tmp_path / "b"), Store(tmp_path / "b")).connect()
    found = MlflowClient(Store(tmp_path / "b").tracking_uri).get_experiment_by_name("mine")
    assert found.artifact_location == (tmp_path / "elsewhere" / "mlartifacts" / "mine").as_uri()


@pytest.mark.parametrize("name", ["runs#1", "100% läufe 红", "a;b&c=d'e\"", "[1]{x}", "me:pw@host"])
def test_everything_of_a_store_with_an_odd_name_is_in_it(tmp_path, migrated, name):  # noqa: F811
    store = Store(tmp_path / "place" / name)
    store.root.mkdir(parents=True)
    shutil.copyfile(migrated, store.database)
    plan = plan_text(tmp_path, VALID, *SMALL, store=store.root)
    finish(plan.students[0], 0.3)
    sync(plan, store, plan.students[0])
    found = read_study(plan, store)
    assert (found.results[1].status, found.note) == ("finished", "")
    assert found.results[1].mlflow_run_id
    (tmp_path / "out").mkdir()
    assert (download_student(found.client, plan.students[0].id, tmp_path / "out") / BEST).exists()
    assert len(MlflowTracking(store.tracking_uri, store.trials).runs()) == 2
    assert [path.name for path in store.root.parent.iterdir()] == [name]
    assert list(store.artifacts.rglob(BEST))
