"""The judge of the chaos test sees what it must see: each fault in turn, on a store and a database made by hand."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch

from tests.chaos.comparison import store_differences, tracking_differences

RECORDS = [
    {"epoch": 1, "step": 2, "metrics": {"coco/bbox_mAP": 0.1}, "timing": {"time/train_s": 1.5}, "wall_time": 1.0},
    {"epoch": 2, "step": 4, "metrics": {"coco/bbox_mAP": 0.3}, "timing": {"time/train_s": 1.4}, "wall_time": 2.0},
]
POINTS = [
    ("epoch", 1.0, 1), ("coco/bbox_mAP", 0.1, 1), ("time/train_s", 1.5, 1),
    ("epoch", 2.0, 2), ("coco/bbox_mAP", 0.3, 2), ("time/train_s", 1.4, 2),
    ("best/epoch", 2.0, 2), ("best/coco/bbox_mAP", 0.3, 2),
]  # fmt: skip
TABLES = """
create table runs (run_uuid text, status text, lifecycle_stage text);
create table tags (key text, value text, run_uuid text);
create table metrics (run_uuid text, key text, step integer, value real, is_nan integer);
insert into runs values ('study', 'FINISHED', 'active'), ('run', 'FINISHED', 'active');
insert into tags values ('stillhouse.trial', 'one', 'run');
"""


def make_store(root: Path) -> Path:
    trial = root / "trials" / "one"
    trial.mkdir(parents=True)
    (trial / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    (trial / "config.py").write_text("model = dict()\n")
    torch.save({"state_dict": {"w": torch.tensor([1.0, -0.0])}}, trial / "best.pth")
    return root


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Path, Path]:
    return make_store(tmp_path / "calm"), make_store(tmp_path / "disturbed")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(TABLES)
        connection.executemany(
            "insert into metrics values ('run', ?, ?, ?, 0)", [(key, step, value) for key, value, step in POINTS]
        )
    return path


def test_equal_stores_have_no_differences(stores: tuple[Path, Path]) -> None:
    history = stores[1] / "trials/one/history.jsonl"
    history.write_text(history.read_text().replace("1.5", "9.5"))  # times may differ
    (stores[1] / "trials/one/events.jsonl").touch()
    assert store_differences(*stores) == []


def lose_a_record(trial: Path) -> None:
    (trial / "history.jsonl").write_text(json.dumps(RECORDS[0]) + "\n")


def change_the_last_bit(trial: Path) -> None:
    (trial / "history.jsonl").write_text((trial / "history.jsonl").read_text().replace("0.3", "0.30000000000000004"))


def change_a_sign(trial: Path) -> None:
    torch.save({"state_dict": {"w": torch.tensor([1.0, 0.0])}}, trial / "best.pth")


def leave_a_file(trial: Path) -> None:
    (trial / ".best.pth.partial").touch()


def leave_a_note(trial: Path) -> None:
    (trial.parents[1] / "run.driver").touch()


@pytest.mark.parametrize("damage", [lose_a_record, change_the_last_bit, change_a_sign, leave_a_file, leave_a_note])
def test_one_difference_is_seen(stores: tuple[Path, Path], damage: Callable[[Path], None]) -> None:
    damage(stores[1] / "trials" / "one")
    assert len(store_differences(*stores)) == 1


def test_a_trial_that_is_missing_is_seen(stores: tuple[Path, Path]) -> None:
    (stores[1] / "trials" / "one").rename(stores[1] / "trials" / "two")
    assert len(store_differences(*stores)) == 1


def test_the_copy_of_a_history_has_no_differences(stores: tuple[Path, Path], database: Path) -> None:
    assert tracking_differences(database, stores[0]) == []


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ("delete from metrics where key = 'epoch' and step = 1", 1),
        ("update metrics set value = 0.30000000000000004 where key = 'coco/bbox_mAP' and step = 2", 2),
        ("insert into metrics values ('run', 'epoch', 1, 1.0, 0)", 2),  # twice there, and one too much
        ("insert into metrics values ('run', 'epoch', 3, 3.0, 0)", 1),
        ("insert into runs values ('other', 'FINISHED', 'active')", 1),
        ("update runs set status = 'RUNNING' where run_uuid = 'run'", 1),
        ("delete from tags", 1),
    ],
)
def test_each_fault_of_the_copy_is_seen(stores: tuple[Path, Path], database: Path, change: str, faults: int) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(change)
    assert len(tracking_differences(database, stores[0])) == faults
