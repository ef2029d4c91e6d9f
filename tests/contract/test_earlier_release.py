"""What an earlier release wrote is opened, reported and continued: ``tests/data/earlier_release/make.py`` made it."""

import gzip
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.search.suggestions import Suggestions
from orchestrator.service.queue import Queue
from orchestrator.storage.backend import StorageBackend
from orchestrator.storage.mirror import Mirror
from orchestrator.study.load import load_study
from orchestrator.submit.states import SubmissionState
from orchestrator.tracking.database_schema import sqlite_revision
from tests.contract.test_tracking import runs_in
from tests.unit.orchestrator.command import Answer, runner
from trainers.schema.record import read_history

DATA = Path(__file__).parents[1] / "data" / "earlier_release"


def unpack(statements: Path, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, gzip.open(statements, "rt") as file:
        connection.executescript(file.read())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return the store of that release, at another place than where it was written."""
    shutil.copytree(DATA / "store", tmp_path / "store")
    unpack(DATA / "store" / "mlflow.db.sql.gz", tmp_path / "store" / "mlflow.db")
    return Store(tmp_path / "store")


@pytest.fixture
def plan(store: Store) -> Plan:
    return make_plan(load_study(DATA / "study.yaml"), store)


@pytest.fixture
def stillhouse(store: Store, capsys: pytest.CaptureFixture[str]) -> Callable[[str], Answer]:
    return lambda command: runner(capsys)(command, DATA / "study.yaml", "--store", store.root, "--json")


def test_its_trials_keep_their_names_and_states(plan: Plan, store: Store) -> None:
    assert [trial.status for trial in plan.students] == ["finished", "unfinished", "new"]
    assert {path.name for path in store.trials.iterdir()} == {trial.id for trial in plan.students[:2]}


def test_its_results_are_reported_from_its_database_which_stays_as_it_is(
    plan: Plan, store: Store, stillhouse: Callable[[str], Answer]
) -> None:
    before, revision = store.database.read_bytes(), sqlite_revision(store.database)
    answer = stillhouse("compare")
    assert (answer.code, store.database.read_bytes()) == (0, before), answer.err
    assert revision is not None
    assert [trial["status"] for trial in answer.json["trials"]] == ["finished", "unfinished", "new"]
    for trial, found in zip(plan.students, answer.json["trials"], strict=True):
        history = read_history(trial.directory)
        assert (found["mlflow_run_id"] is not None) == bool(history)
        assert found["epoch"] == (history[-1].epoch if history else None)
        recorded = history[-1].metrics if history else {}
        assert found["last"] == {key: value for key, value in recorded.items() if key.startswith("coco/")}


def test_its_database_takes_what_is_trained_from_now_on_into_the_same_runs(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {run.info.run_id for run in runs_in(MlflowClient(store.tracking_uri), "earlier")}
    answer = runner(capsys)("sync", DATA / "study.yaml", "--store", store.root)
    assert answer.code == 0, answer.err
    assert {run.info.run_id for run in runs_in(MlflowClient(store.tracking_uri), "earlier")} == before


def test_its_mirror_fills_a_new_store(plan: Plan, store: Store, tmp_path: Path) -> None:
    finished = plan.students[0].directory
    arrived = tmp_path / "new" / finished.name
    assert Mirror(StorageBackend((DATA / "mirror").as_uri())).bring(arrived)
    assert {path.name: path.read_bytes() for path in arrived.iterdir()} == {
        path.name: path.read_bytes() for path in finished.iterdir()
    }


def test_its_queue_goes_on(plan: Plan, tmp_path: Path) -> None:
    unpack(DATA / "queue.db.sql.gz", tmp_path / "queue.db")
    queue = Queue(tmp_path / "queue.db", 9)
    running, waiting = queue.entries()
    assert (running.state, running.attempt, waiting.state) == (SubmissionState.RUNNING, 1, SubmissionState.QUEUED)
    queue.move(running, SubmissionState.FINISHED, "all trials ended")
    queue.move(waiting, SubmissionState.SUBMITTED, "its turn has come")
    assert [event.after for event in queue.events(key=running.key)] == ["queued", "submitted", "running", "finished"]
    (tmp_path / "study.yaml").write_bytes(queue.job_request(waiting.key).shipment.files["study.yaml"])
    shipped = make_plan(load_study(tmp_path / "study.yaml"), Store(tmp_path / "store"))
    assert [trial.id for trial in shipped.trials] == [trial.id for trial in plan.trials]


def test_its_search_goes_on_from_its_log(tmp_path: Path) -> None:
    shutil.copytree(DATA / "searched", tmp_path / "store")
    store = Store(tmp_path / "store")
    [log] = (store.root / "searches").iterdir()
    before = log.read_text()
    plan = make_plan(load_study(DATA / "searched.yaml"), store)
    begun = list(plan.suggested)
    assert {trial.id for trial in begun[:2]} == {path.name for path in store.trials.iterdir()}
    assert [trial.status for trial in plan.suggested] == ["finished", "finished", "new", "new"], "two are open"
    assert plan.suggested == [*begun, *Suggestions(plan).ask(6)]
    assert len(plan.suggested) == 6
    assert log.read_text().startswith(before)
