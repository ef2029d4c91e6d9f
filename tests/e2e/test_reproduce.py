"""Rows of the paper run for two steps with their real architectures, once each, and go on after a kill."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stillhouse import Answer, histories, started, stillhouse

SELF, ALONE = "gfl_r18_bckd_self", "gfl_r18"  # a student whose teacher is the other row
TABLES = ("A1", "A2", "A3", "A4", "A5", "A6", "main")


def reproduce(store: Path, *arguments: object) -> Answer:
    """Reproduce at fidelity smoke, where no weights are at hand."""
    cache = str(store / "no-weights")
    return stillhouse(
        "reproduce", *arguments, "--fidelity", "smoke", "--store", store, "--json", STILLHOUSE_CACHE=cache
    )


def statuses(store: Path, *targets: str) -> dict[str, str]:
    """Return the states of what ``targets`` need, by trial id."""
    plan = reproduce(store, *targets, "--plan").json
    return {trial["id"]: trial["status"] for trial in plan["trials"]}


@pytest.fixture(scope="module")
def slice_of_rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """A row with a trained teacher, a row of VOC, and one of YOLOX from a public teacher, run to their ends."""
    store = tmp_path_factory.mktemp("store")
    return store, reproduce(store, SELF, "voc_gfl_r18", "yolox_tiny_bckd")


def test_rows_run_on_drawn_images_and_end_in_verdicts(slice_of_rows: tuple[Path, Answer]) -> None:
    store, answer = slice_of_rows
    assert answer.code == 0, answer.err
    assert "RANDOM WEIGHTS instead of https://download.openmmlab.com" in answer.err
    rows = {row["study"]: row for row in answer.json["rows"]}
    assert set(rows) == {SELF, "voc_gfl_r18", "yolox_tiny_bckd"}
    assert rows[SELF]["cells"]["mAP"]["printed"] == 36.2
    assert {cell["kind"] for cell in rows["voc_gfl_r18"]["cells"].values()} == {"off"}
    assert all(row["seeds"] == 1 for row in rows.values())
    found = histories(store)
    assert len(found) == 4  # the trained teacher is one of them
    distilled = [lines[-1]["metrics"] for lines in found.values() if "loss/bckd_cls" in lines[-1]["metrics"]]
    assert len(distilled) == 2
    assert all(lines[-1]["step"] == 2 for lines in found.values())


def test_a_finished_row_never_runs_again_and_others_share_it(slice_of_rows: tuple[Path, Answer]) -> None:
    store, answer = slice_of_rows
    before = histories(store)
    again = reproduce(store, SELF, "voc_gfl_r18", "yolox_tiny_bckd")
    assert again.json == answer.json
    assert "started" not in again.err
    shared = reproduce(store, ALONE)
    assert (shared.code, "started" in shared.err) == (0, False)
    assert histories(store) == before


@pytest.mark.slow
def test_what_ran_is_drawn(slice_of_rows: tuple[Path, Answer], tmp_path: Path) -> None:
    store, _ = slice_of_rows
    answer = reproduce(
        store, SELF, ALONE, "yolox_tiny_bckd", "--figures", tmp_path, "--images", 1, "--thresholds", "0.1"
    )
    assert answer.code == 0, answer.err
    assert "mean nothing" in answer.err
    phases, predictions = (Path(found["file"]) for found in answer.json["figures"])
    assert phases.name == "phases.png"
    assert predictions.name == "predictions-1-stillhouse_gfl_r18_fpn_from_stillhouse_gfl_r18_fpn.png"
    [missing] = answer.json["missing"]
    assert "yolox_s" in missing
    assert missing.endswith("no row trains this student alone")


@pytest.mark.slow
def test_killed_between_teacher_and_student_it_goes_on_to_the_same_numbers(
    slice_of_rows: tuple[Path, Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = slice_of_rows
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "no-weights"))
    process = started("reproduce", SELF, "--fidelity", "smoke", "--store", tmp_path, "--json")
    assert process.stderr is not None
    starts = (line for line in process.stderr if ": started" in line)
    next(starts)  # of the teacher
    next(starts)
    process.kill()
    process.communicate()
    assert set(statuses(tmp_path, SELF).values()) != {"finished"}
    answer = reproduce(tmp_path, SELF)
    assert answer.code == 0, answer.err
    assert set(statuses(tmp_path, SELF).values()) == {"finished"}
    undisturbed = histories(store)
    assert all(undisturbed[trial] == lines for trial, lines in histories(tmp_path).items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_every_table_runs(table: str, whole: Path) -> None:
    answer = reproduce(whole, table)
    assert answer.code == 0, answer.err
    rows: list[dict[str, Any]] = answer.json["rows"]
    assert rows
    assert all(row["seeds"] == 1 for row in rows), json.dumps(rows, indent=1)
    assert all(cell["kind"] == "off" for row in rows for cell in row["cells"].values() if cell["printed"] is not None)


def test_a_plan_loads_neither_torch_nor_ray_nor_mlflow() -> None:
    program = (
        "import sys; from orchestrator.cli import main; main(['reproduce', 'A6', '--plan', '--json']);"
        "assert not {'torch', 'ray', 'mlflow', 'mmengine'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]
