"""A database is a file: whatever else a name means is refused at once."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.core.sqlite_file import reading, writing
from orchestrator.core.store import require_sound_database
from orchestrator.service.queue import Queue
from orchestrator.tracking.new_database import create_tables
from orchestrator.tracking.probe import require_answer
from tests.unit.own_modules import ROOT, modules

OPENER = "orchestrator/core/sqlite_file.py"
USES: dict[str, Callable[[Path], object]] = {
    "look": require_sound_database,
    "tables": create_tables,
    "address": lambda path: require_answer(f"sqlite:///{path}"),
    "queue": lambda path: Queue(path, 5),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/proc/self/maps"])
def test_what_is_no_file_is_no_database(use: Callable[[Path], object], name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OperationError, match=r"not a file|not one of a disk"):
        use(tmp_path / name)


def test_a_database_is_created_and_read(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with writing(path, 1.0) as connection:
        connection.execute("create table t (x)")
    with reading(path) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == [("t",)]


def test_a_transaction_under_way_is_not_undone_by_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with writing(path, 1.0) as connection:
        connection.execute("create table t (x)")
        connection.execute("begin immediate")
        connection.execute("insert into t values (1)")
        assert (tmp_path / "new.db-journal").exists()
        with reading(path) as other:
            assert other.execute("select * from t").fetchall() == []
        connection.execute("commit")
    with reading(path) as connection:
        assert connection.execute("select * from t").fetchall() == [(1,)]


def test_no_other_module_connects_to_databases() -> None:
    found = {
        path
        for path in modules()
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "sqlite3.connect"
    }
    assert found == {OPENER}
