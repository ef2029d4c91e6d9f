"""Trials that were trained are shown with their numbers, whatever has become of MLflow, and nothing is written."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from mlflow.tracking import MlflowClient

from dashboards.snapshot import snapshot
from orchestrator.core.errors import UserError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.database_schema import OtherSchema, _revisions
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from orchestrator.tracking.probe import require_answer
from orchestrator.tracking.reading import read_study
from tests.contract.mlflow_server import free_port
from tests.contract.postgres import postgres
from tests.contract.test_tracking import (  # noqa: F401  fixtures among them
    AP,
    SMALL,
    client,
    finish,
    leave,
    migrated,
    plan,
    record,
    run_of,
    stillhouse,
    store,
    sync,
)
from tests.processes.test_run_imports import loaded_by
from trainers.schema.record import Outcome
from trainers.schema.request import STOPPED_BY_USER, Request, write_request

Spoil = Callable[[MlflowClient, Store], Any]


def delete_the_experiment(client: MlflowClient, store: Store) -> None:  # noqa: F811
    client.delete_experiment(client.get_experiment_by_name("demo").experiment_id)


def delete_all_runs(client: MlflowClient, store: Store) -> None:  # noqa: F811
    for run in client.search_runs([client.get_experiment_by_name("demo").experiment_id]):
        client.delete_run(run.info.run_id)


def remove_the_database(client: MlflowClient, store: Store) -> None:  # noqa: F811
    store.database.unlink()


def damage_the_database(client: MlflowClient, store: Store) -> None:  # noqa: F811
    store.database.write_bytes(b"no database" * 100)


def set_revision(store: Store, revision: str, drop: str) -> None:  # noqa: F811
    with contextlib.closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("update alembic_version set version_num = ?", (revision,))
        connection.execute(f"drop table {drop}")


def make_it_older(client: MlflowClient, store: Store) -> None:  # noqa: F811
    """Leave out a table as older releases do: MLflow's client would migrate such a database when it opens it."""
    set_revision(store, _revisions()[1], "review_queue_items")


def make_it_newer(client: MlflowClient, store: Store) -> None:  # noqa: F811
    set_revision(store, "ffffffffffff", "review_queue_items")


def empty_the_database(client: MlflowClient, store: Store) -> None:  # noqa: F811
    store.database.write_bytes(b"")


SPOILT = {
    "deleted experiment": (delete_the_experiment, "experiment demo is deleted in MLflow", "mlflow experiments restore"),
    "deleted runs": (delete_all_runs, "runs of 5 trials (teacher-", "mlflow runs restore"),
    "no database": (remove_the_database, "has no tracking database", "stillhouse sync"),
    "damaged database": (damage_the_database, "is damaged", ""),
    "older": (make_it_older, "was written by an older MLflow", "mlflow db upgrade"),
    "newer": (make_it_newer, "was written by a newer MLflow", ""),
    "empty database": (empty_the_database, "holds nothing yet", ""),
}


@pytest.fixture(params=SPOILT)
def spoilt(request: pytest.FixtureRequest, plan: Plan, store: Store, client: MlflowClient) -> tuple[str, str]:  # noqa: F811
    """Finish and deliver a study, then spoil MLflow; return what is said about that."""
    for number, trial in enumerate(plan.trials):
        finish(trial, 0.1 + number / 10)
    sync(plan, store).finish()
    spoil, says, remedy = SPOILT[request.param]
    client._tracking_client.store.engine.dispose()
    spoil(client, store)
    return says, remedy


def options(store: Store) -> list[Any]:  # noqa: F811
    return ["--store", store.root, *(part for setting in SMALL for part in ("--set", setting))]


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_command_that_reads_shows_the_numbers_of_the_store(plan, store, stillhouse, tmp_path, spoilt):  # noqa: F811
    says, remedy = spoilt
    before = files(store.root)
    study = tmp_path / "study.yaml"
    for command in (["compare"], ["compare", "--json"], ["report"], ["export", "--to", tmp_path / "out", "--force"]):
        answer = stillhouse(command[0], study, *command[1:], *options(store))
        assert answer.code == 0, answer.err
        assert [says in line and remedy in line for line in answer.complaints] == [True], answer.err
        assert "new" not in answer.out.split()
        if "--json" in command:
            assert [trial["status"] for trial in answer.json["trials"]] == ["finished"] * 5
            assert [trial["metrics"][AP] for trial in answer.json["trials"]] == [0.1 + i / 10 for i in range(5)]
    figure = stillhouse("figure", study, "--output", tmp_path / "phases.svg", *options(store))
    assert (figure.code, len(figure.complaints)) == (0, 1), figure.err
    planned = stillhouse("plan", study, *options(store))
    assert planned.out.count("finished") == 5
    assert files(store.root) == before


def test_every_command_names_the_same_state_of_a_trial(plan, store, stillhouse, tmp_path):  # noqa: F811
    fresh, begun, never, _ = plan.students
    leave(begun, [record(1, 0.2)])
    finish(plan.teachers[0], 0.5)
    sync(plan, store, plan.teachers[0], begun)
    for trial in (fresh, begun):
        write_request(trial.directory, Request.PAUSE)
    leave(never, [], Outcome("stopped", STOPPED_BY_USER))
    states = ["finished", "paused", "paused", "stopped", "new"]
    study = tmp_path / "study.yaml"
    planned = stillhouse("plan", study, "--json", *options(store)).json
    compared = stillhouse("compare", study, "--json", *options(store))
    assert compared.complaints == []  # nothing that MLflow lacks
    for found in (planned, compared.json):
        assert [trial["status"] for trial in found["trials"]] == states
    assert [trial.status for trial in read_study(plan, store).results] == states


def test_a_store_where_trials_were_only_paused_or_stopped_has_no_results(plan, store, stillhouse, tmp_path):  # noqa: F811
    first, second = plan.students[:2]
    write_request(first.directory, Request.PAUSE)
    leave(second, [], Outcome("stopped", STOPPED_BY_USER))
    store.database.unlink()
    answer = stillhouse("compare", tmp_path / "study.yaml", *options(store))
    assert (answer.code, "sync" in answer.err) == (2, False), answer.err


@pytest.mark.parametrize("spoilt", ["older", "newer"], indirect=True)
@pytest.mark.parametrize("command", ["run", "sync"])
def test_commands_that_write_migrate_nothing_either(plan, store, stillhouse, tmp_path, spoilt, command):  # noqa: F811
    before = store.database.read_bytes()
    answer = stillhouse(command, tmp_path / "study.yaml", *options(store))
    assert answer.code == 2
    assert [spoilt[0] in line and spoilt[1] in line for line in answer.complaints] == [True], answer.err
    assert store.database.read_bytes() == before


@pytest.mark.parametrize("spoilt", ["older", "newer", "no database", "deleted experiment"], indirect=True)
def test_the_pages_say_what_they_do_not_show(plan, store, stillhouse, tmp_path, spoilt):  # noqa: F811
    before = store.database.read_bytes() if store.database.exists() else None
    answer = stillhouse("dashboard", "export", tmp_path / "page.html", "--store", store.root)
    said = (tmp_path / "page.html").read_text() if answer.code == 0 else answer.err
    assert spoilt[0] in said
    assert spoilt[1] in said
    assert (store.database.read_bytes() if store.database.exists() else None) == before


def test_what_is_restored_is_read_from_mlflow_again(plan, store, client):  # noqa: F811
    finish(plan.students[0], 0.3)
    sync(plan, store, plan.students[0])
    delete_the_experiment(client, store)
    found = read_study(plan, store)
    assert (found.results[1].status, found.results[1].mlflow_run_id) == ("finished", None)
    client.restore_experiment(client.get_experiment_by_name("demo").experiment_id)
    found = read_study(plan, store)
    assert (found.results[1].status, found.note) == ("finished", "")
    assert found.results[1].mlflow_run_id == run_of(client, plan.students[0]).info.run_id


def test_the_record_of_the_store_counts_for_each_trial_that_it_knows(plan, store, client):  # noqa: F811
    """One is further in the store, one in MLflow, one ended since, one is equal, one is in neither."""
    teacher, one, two, three, _ = plan.trials
    for trial in (teacher, one, two, three):
        leave(trial, [record(1, 0.1)])
    finish(two, 0.1, 0.4)
    sync(plan, store, teacher, one, two, three)
    leave(one, [record(1, 0.1), record(2, 0.2), record(3, 0.3)])
    leave(two, [record(1, 0.1)])
    (two.directory / "outcome.json").unlink()
    leave(three, [record(1, 0.1)], Outcome("finished"))
    found = read_study(plan, store)
    states = [(result.status, result.epoch, result.last.get(AP)) for result in found.results]
    assert states == [
        ("unfinished", 1, 0.1), ("unfinished", 3, 0.3), ("unfinished", 1, 0.1), ("finished", 1, 0.1), ("new", None, None),
    ]  # fmt: skip
    assert "MLflow lacks results of 2 trials (none seed=0, bckd alpha2=4.0 seed=0)" in found.note
    assert "stillhouse sync STUDY" in found.note
    assert "MLflow has more of 1 trial (none seed=1) than the store: the store's record counts" in found.note
    assert set(found.runs) == {teacher.id}


def remove_the_end(trial: PlannedTrial) -> None:
    (trial.directory / "outcome.json").unlink()


def remove_the_directory(trial: PlannedTrial) -> None:
    shutil.rmtree(trial.directory)


DIFFERING = {
    "end": (remove_the_end, "MLflow has more of 1 trial (none seed=0) than the store", {"unfinished": "unfinished"}),
    "weights": (remove_the_directory, "only MLflow has a record of 1 trial (none seed=0)", {"new": "finished"}),
}


@pytest.mark.parametrize("lost", DIFFERING)
def test_every_command_says_the_same_of_a_trial_that_the_store_has_lost(plan, store, stillhouse, tmp_path, lost):  # noqa: F811
    """What is left to train is the store's to say, numbers without a record there come from MLflow."""
    for trial in plan.trials:
        finish(trial, 0.3)
    sync(plan, store).finish()
    lose, says, states = DIFFERING[lost]
    lose(plan.students[0])
    study, before = tmp_path / "study.yaml", files(store.root)
    planned = stillhouse("plan", study, "--json", *options(store)).json
    compared = stillhouse("compare", study, "--json", *options(store))
    assert files(store.root) == before
    [(to_train, shown)] = states.items()
    assert [trial["status"] for trial in planned["trials"]] == ["finished", to_train, *["finished"] * 3]
    assert [trial["status"] for trial in compared.json["trials"]] == ["finished", shown, *["finished"] * 3]
    assert planned["totals"]["trials_left"] == 1
    [sentence] = [item["message"] for item in planned["findings"] if item["where"] == "tracking"]
    assert says in sentence
    assert [sentence in line for line in compared.complaints] == [True]
    assert sentence in stillhouse("sync", study, *options(store)).err


def test_numbers_of_a_trial_that_was_trained_again_are_the_stores(plan, store, client):  # noqa: F811
    """MLflow keeps the points of the first training, because it has those steps already, until its run is deleted."""
    one = plan.students[0]
    finish(one, 0.3)
    sync(plan, store, one)
    finish(one, 0.4)
    sync(plan, store, one)
    found = read_study(plan, store)
    assert found.results[1].metrics[AP] == 0.4
    assert "MLflow has other numbers of 1 trial (none seed=0), from an earlier training" in found.note
    assert found.runs == {}
    client.delete_run(run_of(client, one).info.run_id)
    sync(plan, store, one)
    found = read_study(plan, store)
    assert (found.results[1].metrics[AP], found.note, set(found.runs)) == (0.4, "", {one.id})


def test_a_trial_that_has_only_begun_is_new_to_every_command(plan, store, stillhouse, tmp_path, client):  # noqa: F811
    """Its run is in MLflow before its first epoch is in the store."""
    sync(plan, store, plan.students[0])
    found = read_study(plan, store)
    assert ([result.status for result in found.results], found.note) == (["new"] * 5, "")
    assert found.results[1].mlflow_run_id == run_of(client, plan.students[0]).info.run_id


def test_numbers_in_place_of_a_damaged_record_are_said_to_be_mlflows(plan, store, client):  # noqa: F811
    one = plan.students[0]
    finish(one, 0.3)
    sync(plan, store, one)
    (one.directory / "history.jsonl").write_text("no record")
    found = read_study(plan, store)
    assert (found.results[1].status, found.results[1].metrics[AP]) == ("finished", 0.3)
    assert f"{one.directory}/history.jsonl is damaged in line 1" in found.note


def test_a_tracker_that_is_away_or_refuses_is_one_sentence(plan, store, stillhouse, tmp_path):  # noqa: F811
    for trial in plan.trials:
        finish(trial, 0.3)
    away = f"tracking.uri=http://127.0.0.1:{free_port()}"
    answer = stillhouse("compare", tmp_path / "study.yaml", *options(store), "--set", away)
    assert (answer.code, len(answer.complaints)) == (0, 1)
    assert "no MLflow server answers at" in answer.err
    assert "new" not in answer.out.split()


@pytest.mark.parametrize("command", ["check", "plan", "run", "compare"])
def test_an_address_that_mlflow_does_not_know_is_a_mistake_in_the_study(plan, store, stillhouse, tmp_path, command):  # noqa: F811
    where = options(store) if command != "check" else options(store)[2:]
    answer = stillhouse(command, tmp_path / "study.yaml", *where, "--set", "tracking.uri=postgre://me:secret99@host/x")
    assert answer.code == 2
    assert len(answer.complaints) == 1
    assert "tracking.uri" in answer.err
    assert "postgresql:" in answer.err
    assert "secret99" not in answer.err


def test_pages_count_what_the_store_has_and_mlflow_does_not(plan, store, client):  # noqa: F811
    for trial in plan.trials:
        finish(trial, 0.3)
    sync(plan, store, *plan.trials[:2])
    found = snapshot(MlflowTracking(store.tracking_uri, store.trials))
    assert found["notes"] == ["3 trials of the store are not in MLflow, and stillhouse sync STUDY delivers them"]


def test_trials_are_found_however_many_experiments_there_are(plan, store, client, monkeypatch):  # noqa: F811
    monkeypatch.setattr("orchestrator.tracking.pages.PAGE", 2)
    finish(plan.students[0], 0.3)
    sync(plan, store, plan.students[0])
    for number in range(5):
        client.create_experiment(f"other {number}")
    assert read_study(plan, store).note == ""


def test_a_database_that_is_locked_is_read_around(plan, store, stillhouse, tmp_path):  # noqa: F811
    for trial in plan.trials:
        finish(trial, 0.3)
    sync(plan, store)
    with contextlib.closing(sqlite3.connect(store.database)) as other:
        other.execute("begin exclusive")
        answer = stillhouse("compare", tmp_path / "study.yaml", *options(store))
    assert answer.code == 0
    assert [f"{store.database} is locked" in line for line in answer.complaints] == [True]


def test_a_database_server_is_not_migrated_either():
    """Nor are tables created by who only reads."""
    with postgres() as uri:
        engine = sqlalchemy.create_engine(uri)
        with pytest.raises(UserError, match="holds nothing yet"):
            require_answer(uri, reading=True)
        require_answer(uri)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("create table alembic_version (version_num varchar(32))"))
            connection.execute(sqlalchemy.text("insert into alembic_version values (:old)"), {"old": _revisions()[1]})
        for reading in (True, False):
            with pytest.raises(OtherSchema, match="older MLflow"):
                require_answer(uri, reading=reading)
        assert sqlalchemy.inspect(engine).get_table_names() == ["alembic_version"]
        engine.dispose()


def test_trials_that_mlflow_cannot_know_are_planned_without_loading_it(plan, store, tmp_path):  # noqa: F811
    for trial in plan.students:
        finish(trial, 0.3)
    sync(plan, store, *plan.students)
    sets = " ".join(f"--set {item}" for item in (SMALL[0], SMALL[2]))
    edited = f"plan {tmp_path / 'study.yaml'} --store {store.root} {sets} --set search.seeds=[7]"
    assert loaded_by(edited) == ["0"]
    remove_the_end(plan.students[0])
    assert loaded_by(edited.replace("[7]", "[0]")) == ["0 mlflow"]
