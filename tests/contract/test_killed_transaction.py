"""A process is killed in the midst of a transaction on MLflow's database: the next command finds the state before it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from tests.contract.test_reading import options
from tests.contract.test_tracking import (  # noqa: F401  fixtures among them
    client,
    finish,
    migrated,
    plan,
    stillhouse,
    store,
    sync,
)
from tests.e2e.stillhouse import COMMAND, ROOT

# More pages than SQLite may keep in memory: new ones are in the file before the end, and the old ones in its journal.
WRITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("pragma cache_size = 5")
connection.execute("begin")
connection.execute("delete from metrics")
connection.executemany("insert into experiments (name) values (?)", ((f"{n:01000}",) for n in range(1000)))
print("written", flush=True)
sys.stdin.read()
"""
NOBODY = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]  # for whom modes hold, as they do not for root


@contextmanager
def in_transaction(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that has changed much of a database, in a transaction that it has not committed; it is killed."""
    command = [sys.executable, "-c", WRITE, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


@pytest.fixture
def half_done(plan: Plan, store: Store, client: MlflowClient) -> Path:  # noqa: F811
    """Deliver a finished study, then kill a process that changes the database; return the journal that is left."""
    for trial in plan.trials:
        finish(trial, 0.25)
    sync(plan, store).finish()
    client._tracking_client.store.engine.dispose()
    journal = store.database.with_name("mlflow.db-journal")
    with in_transaction(store.database):
        pass
    assert journal.stat().st_size > 0
    return journal


@pytest.mark.parametrize("command", ["compare", "sync"])
def test_the_next_command_finds_what_was_there_before(plan, store, stillhouse, tmp_path, half_done, command):  # noqa: F811
    answer = stillhouse(command, tmp_path / "study.yaml", *options(store))
    assert answer.code == 0, answer.err
    assert "damaged" not in answer.err
    assert not half_done.exists()
    names = [experiment.name for experiment in MlflowClient(store.tracking_uri).search_experiments()]
    assert sorted(names) == ["Default", "demo"]


def test_where_nothing_may_be_written_the_numbers_are_those_of_the_store(store, tmp_path, half_done):  # noqa: F811
    wrapped = NOBODY if os.getuid() == 0 else []
    if subprocess.run([*wrapped, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets root be no other user")
    words = [*wrapped, *COMMAND, "compare", tmp_path / "study.yaml", *options(store)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    with write_protected(store.root):
        done = subprocess.run([*map(str, words)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished") == 3  # the rows: the teacher and two kinds of students, with two seeds each
    [sentence] = [line for line in done.stderr.splitlines() if "mlflow.db" in line]
    assert "a process was killed while it changed the database" in sentence
    assert half_done.exists()


@contextmanager
def write_protected(root: Path) -> Iterator[None]:
    """Let nobody but root write anywhere in a store."""
    paths = [root, *root.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield
    for path in paths:
        path.chmod(0o755)
