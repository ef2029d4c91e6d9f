"""Several processes that begin to use one new tracking database at once all succeed, with one run for each trial."""

import contextlib
import multiprocessing
import re
import sqlite3
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.compat.mlflow_parts import statements_of_new_database
from orchestrator.core.store import Store
from orchestrator.tracking import new_database
from orchestrator.tracking.client import client_at
from orchestrator.tracking.faults import Unreachable
from orchestrator.tracking.flusher import Flusher
from orchestrator.tracking.tracker import Tracker
from tests.contract.postgres import postgres
from tests.contract.test_tracking import SMALL, finish, runs_in
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID

ROUNDS, PROCESSES = 3, 2


@contextlib.contextmanager
def sqlite_files(folder: Path) -> Iterator[list[str]]:
    yield [f"sqlite:///{folder}/shared-{number}.db" for number in range(ROUNDS)]


@contextlib.contextmanager
def databases_of_postgres(folder: Path) -> Iterator[list[str]]:
    import psycopg

    with postgres() as address:
        with psycopg.connect(address, autocommit=True) as connection:
            for number in range(ROUNDS):
                connection.execute(f"create database shared_{number}")  # type: ignore[arg-type]
        yield [f"{address.removesuffix('/postgres')}/shared_{number}" for number in range(ROUNDS)]


def deliver(folder: Path, uris: list[str], barrier: Barrier, replies: Any) -> None:
    """Deliver a finished trial to each of the databases, at the same time as the other processes."""
    for uri in uris:
        plan = plan_text(folder, VALID, *SMALL, f"tracking.uri={uri}", store=folder / "store")
        finish(plan.students[0], 0.25)
        barrier.wait(120)
        try:
            delivery = Flusher(Tracker(plan, Store(folder / "store")), plan.trials).close(30)
            replies.put(delivery.reason)
        except BaseException as error:
            replies.put(repr(error))
            raise


@pytest.mark.parametrize("databases", [sqlite_files, pytest.param(databases_of_postgres, marks=pytest.mark.slow)])
def test_processes_that_begin_at_once_all_deliver(databases: Any, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, replies = context.Barrier(PROCESSES), context.Queue()
    with databases(tmp_path) as uris:
        started = []
        for number in range(PROCESSES):
            (tmp_path / str(number)).mkdir()
            started.append(context.Process(target=deliver, args=(tmp_path / str(number), uris, barrier, replies)))
        for process in started:
            process.start()
        for process in started:
            process.join(180)
        assert [replies.get(timeout=1) for _ in range(ROUNDS * PROCESSES)] == [""] * ROUNDS * PROCESSES
        for uri in uris:
            trials = [run for run in runs_in(MlflowClient(uri)) if "stillhouse.trial" in run.data.tags]
            assert len([run for run in trials if run.info.lifecycle_stage == "active"]) == 1


def tables_of(path: Path) -> list[tuple[str, ...]]:
    """Return the definitions of a database; Alembic writes the constraints of a table in any order."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("select type, name, sql from sqlite_master order by 1, 2").fetchall()
        revision = connection.execute("select * from alembic_version").fetchall()
    return [*revision, *((kind, name, *sorted(re.split(r",?\s+\)?", sql or ""))) for kind, name, sql in found)]


def test_a_new_file_has_what_mlflow_itself_would_write(tmp_path: Path) -> None:
    MlflowClient(f"sqlite:///{tmp_path}/mlflows.db")
    new_database.create_tables(tmp_path / "ours.db")
    assert tables_of(tmp_path / "ours.db") == tables_of(tmp_path / "mlflows.db")


def test_a_creation_that_is_cut_short_leaves_a_file_that_the_next_one_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = [*statements_of_new_database()[:20], "no statement"]
    monkeypatch.setattr("orchestrator.tracking.new_database.statements_of_new_database", lambda: statements)
    with pytest.raises(Unreachable, match="syntax error"):
        new_database.create_tables(tmp_path / "new.db")
    monkeypatch.undo()
    assert client_at(f"sqlite:///{tmp_path}/new.db", reading=False).get_experiment("0").name == "Default"
