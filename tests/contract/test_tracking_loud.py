"""A full disk and a locked database end a run with its table and one sentence each, however loud libraries are."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.tracking.tracker import Tracker
from tests.contract.full_disk import on_small_disk
from tests.contract.test_tracking import SMALL, finish
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID

SETS = [part for one in SMALL for part in ("--set", one)]
NOISE = ("Traceback", "SQL", "sqlalche.me", "parameters:")


@pytest.fixture
def trained(tmp_path: Path) -> Plan:
    """Plan a study whose trials have all ended, and that MLflow has not heard of."""
    plan = plan_text(tmp_path, VALID, *SMALL, store=tmp_path / "store")
    for number, trial in enumerate(plan.trials):
        finish(trial, 0.1 + number / 100)
    return plan


def assert_table_and_sentences(code: int, out: str, err: str, plan: Plan, *said: str) -> None:
    assert code == 1, err
    assert {trial["status"] for trial in json.loads(out)["trials"]} == {"finished"}
    assert len(json.loads(out)["trials"]) == len(plan.trials)
    assert [word for word in NOISE if word in err] == []
    assert [words for words in said if words not in err] == []


def test_a_full_disk_hides_no_result(trained: Plan, tmp_path: Path) -> None:
    """One page of 4 KiB is left, for the note that says who runs; the rates and MLflow's records find no room."""
    ready, disk = tmp_path / "ready", tmp_path / "store"
    shutil.move(disk, ready)
    with closing(sqlite3.connect(ready / "mlflow.db")):
        MlflowClient(f"sqlite:///{ready}/mlflow.db")
    script = f'cp -r {ready}/. {disk}; fill; truncate -s -4096 {disk}/filler; stillhouse run "$@"'
    options = (tmp_path / "study.yaml", "--store", disk, *SETS, "--json", "--tracker-wait", 0)
    done = on_small_disk(disk, script, *options, size="8m")
    assert_table_and_sentences(
        done.returncode, done.stdout, done.stderr, trained,
        f"cannot write to {disk}/rates.jsonl: No space left on device", "MLflow at sqlite:",
    )  # fmt: skip


def test_a_database_that_another_process_holds_delays_the_table_and_hides_no_result(
    trained: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "store")
    Tracker(trained, store).connect()
    with closing(sqlite3.connect(store.database, isolation_level=None)) as other:
        other.execute("begin exclusive")
        answer = runner(capsys)(
            "run", tmp_path / "study.yaml", "--store", store.root, *SETS, "--json", "--tracker-wait", 0
        )
    assert_table_and_sentences(answer.code, answer.out, answer.err, trained, "is locked by another process")
    assert runner(capsys)("run", tmp_path / "study.yaml", "--store", store.root, *SETS).code == 0
