"""From a folder that a labelling tool exported to a student that mmdet loads: three typed lines, and no edit."""

import json
from pathlib import Path

import pytest

from tests.e2e.stillhouse import stillhouse
from tests.unit.orchestrator.first_study import layouts

ONE_EPOCH = ("--set", "schedule.epochs=1", "--set", "teacher.schedule.epochs=1", "--set", "dataset.image_size=[96,96]")


@pytest.mark.smoke
def test_a_folder_becomes_a_study_a_table_and_a_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts.roboflow_yolo(tmp_path / "parts")
    monkeypatch.chdir(tmp_path)
    assert stillhouse("init", "parts").code == 0
    run = stillhouse("run", "study.yaml", *ONE_EPOCH, "--store", "store", "--json")
    assert run.code == 0, run.err
    assert {trial["status"] for trial in run.json["trials"]} == {"finished"}
    assert not [word for word in ("Evaluate annotation", "Warning") if word in run.err]

    names = [row["name"] for row in run.json["test"]]
    assert names == ["none", "bckd"]
    students = {trial["id"] for trial in run.json["trials"] if trial["role"] == "student"}
    assert {trial for row in run.json["test"] for trial in row["trials"]} == students
    assert all("coco/bbox_mAP" in metrics for row in run.json["test"] for metrics in row["trials"].values())
    assert (
        "measured on images that nothing was chosen by"
        in stillhouse("compare", "study.yaml", *ONE_EPOCH, "--store", "store").err
    )

    export = stillhouse("export", "study.yaml", *ONE_EPOCH, "--store", "store", "--to", "student")
    assert export.code == 0, export.err
    names = {path.name for path in (tmp_path / "student").iterdir()}
    assert names == {"README.md", "config.py", "provenance.json", "student.pth", "test.json", "val.json"}
    kept = json.loads(next((tmp_path / "store").glob("trials/*/test.json")).read_text())
    assert set(kept) == {"format", "data", "metrics"}
