"""One study from an empty store to numbers in MLflow, and again."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pytest

from tests.e2e.conftest import Ran
from tests.e2e.stillhouse import deterministic, histories, started, stillhouse

SECOND_RUN_S = 30


@pytest.mark.smoke
def test_every_trial_is_finished_and_the_teacher_comes_first(ran: Ran) -> None:
    trials = ran.answer.json["trials"]
    assert [trial["role"] for trial in trials] == ["teacher", "student", "student", "student"]
    assert [trial["method"] for trial in trials] == ["none", "none", "bckd", "bckd"]
    assert {trial["status"] for trial in trials} == {"finished"}
    assert [trial["epoch"] for trial in trials] == [2, 3, 3, 3]
    assert all(trial["metrics"]["coco/bbox_mAP"] == trial["metrics"]["coco/bbox_mAP"] for trial in trials)
    assert all(Path(trial["checkpoint"]).is_file() for trial in trials)


def test_stdout_holds_the_json_object_and_nothing_else(ran: Ran) -> None:
    assert ran.answer.out.lstrip().startswith("{")
    assert set(ran.answer.json) == {"study", "fingerprint", "trials", "metric", "rows", "best"}


def test_mlflow_holds_the_same_numbers_in_one_child_run_a_trial(ran: Ran) -> None:
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{ran.store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny").experiment_id
    runs = {run.data.tags.get("stillhouse.trial"): run for run in client.search_runs([experiment])}
    parent = runs.pop(None)
    trials = {trial["id"]: trial for trial in ran.answer.json["trials"]}
    assert set(runs) == set(trials)
    for trial_id, history in histories(ran.store).items():
        run = runs[trial_id]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
        for key in ("loss/total", "coco/bbox_mAP"):
            logged = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)]
            assert logged == [(record["epoch"], record["metrics"][key]) for record in history]
        best = trials[trial_id]["metrics"]["coco/bbox_mAP"]
        assert best == max(record["metrics"]["coco/bbox_mAP"] for record in history)


def test_running_again_trains_nothing_and_prints_the_same(ran: Ran) -> None:
    before = histories(ran.store)
    began = time.monotonic()
    again = stillhouse("run", ran.study, "--store", ran.store, "--json")
    assert time.monotonic() - began < SECOND_RUN_S
    assert again.code == 0
    assert again.json == ran.answer.json
    assert "started" not in again.err
    assert histories(ran.store) == before


def test_a_second_empty_store_and_students_side_by_side_give_the_same_bits(ran: Ran, tmp_path: Path) -> None:
    other = stillhouse("run", ran.study, "--store", tmp_path, "--json", "--set", "search.cohort=3")
    assert other.code == 0, other.err
    assert deterministic(other.json["trials"]) == deterministic(ran.answer.json["trials"])
    assert histories(tmp_path) == histories(ran.store)


def test_alpha_zero_still_distils_nothing_but_localization(ran: Ran) -> None:
    by_params = {str(t["params"]): t for t in ran.answer.json["trials"] if t["method"] == "bckd"}
    assert set(by_params) == {"{'method.alpha1': 0.0}", "{'method.alpha1': 1.0}"}
    found = histories(ran.store)
    without = found[by_params["{'method.alpha1': 0.0}"]["id"]][0]["metrics"]
    assert "loss/bckd_cls" not in without
    assert without["loss/bckd_loc"] > 0


def test_compare_reads_the_table_back(ran: Ran) -> None:
    table = stillhouse("compare", ran.study, "--store", ran.store)
    assert table.code == 0
    lines = table.out.splitlines()
    assert lines[0].split()[:5] == ["trial", "seeds", "status", "AP", "AP50"]
    assert [line.split()[0] for line in lines[1:]] == ["teacher", "none", "bckd", "bckd"]
    assert stillhouse("compare", ran.study, "--store", ran.store, "--json").json == ran.answer.json


def test_the_exported_student_predicts_without_stillhouse(ran: Ran, tmp_path: Path) -> None:
    trial = next(t["id"] for t in ran.answer.json["trials"] if t["method"] == "bckd")
    answer = stillhouse("export", ran.study, "--store", ran.store, "--trial", trial, "--to", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.py",
        "provenance.json",
        "student.pth",
    ]
    again = stillhouse("export", ran.study, "--store", ran.store, "--trial", trial, "--to", tmp_path / "out")
    assert again.code == 2
    assert "--force" in again.err
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN_MMDET, str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert plain.returncode == 0, plain.stderr


@pytest.mark.slow
def test_the_student_is_written_as_onnx_and_detects_without_stillhouse(ran: Ran, tmp_path: Path) -> None:
    out, image = tmp_path / "out", tmp_path / "image.png"
    arguments = ("export", ran.study, "--store", ran.store, "--format", "onnx", "--to", out)
    answer = stillhouse(*arguments, "--json")
    assert answer.code == 0, answer.err
    assert answer.json == {
        "trial": stillhouse("compare", ran.study, "--store", ran.store, "--json").json["best"],
        "model": str(out / "student.onnx"),
        "reader": str(out / "detect.py"),
    }
    assert sorted(path.name for path in out.iterdir()) == ["detect.py", "student.onnx"]
    again = stillhouse(*arguments)
    assert again.code == 2
    assert "--force" in again.err
    cv2.imwrite(str(image), np.random.default_rng(0).integers(0, 256, (50, 80, 3), np.uint8))
    command = [sys.executable, "-I", out / "detect.py", image, "--above", "0"]
    [line] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = json.loads(line)
    assert found["image"] == str(image)
    assert {one["class"] for one in found["detections"]} <= {"circle", "square", "triangle"}


PLAIN_MMDET = """
import sys, torch
from trainers.compat.ops import install  # stands in for a compiled mmcv
install()
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmdet.registry import MODELS
folder = sys.argv[1]
init_default_scope("mmdet")
model = MODELS.build(Config.fromfile(folder + "/config.py").model)
checkpoint = torch.load(folder + "/student.pth", weights_only=True)
model.load_state_dict(checkpoint["state_dict"], strict=True)
assert not any("teacher" in key for key in checkpoint["state_dict"])
assert list(checkpoint["meta"]["dataset_meta"]["classes"]) == ["circle", "square", "triangle"]
"""


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_reported_and_the_same_command_goes_on(ran: Ran, tmp_path: Path) -> None:
    [teacher] = [trial["id"] for trial in ran.answer.json["trials"] if trial["role"] == "teacher"]
    shutil.copytree(ran.store / "trials" / teacher, tmp_path / "trials" / teacher)
    process = started("run", ran.study, "--store", tmp_path, "--json")
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if "none seed=0: epoch 1/3" in line:
            process.send_signal(signal.SIGINT)
            break
    threading.Thread(target=process.communicate, daemon=True).start()
    assert process.wait(timeout=120) == 130, "".join(seen)
    plan = stillhouse("plan", ran.study, "--store", tmp_path, "--json").json
    statuses = [trial["status"] for trial in plan["trials"]]
    assert statuses[0] == "finished"
    assert "unfinished" in statuses or "new" in statuses
    resumed = stillhouse("run", ran.study, "--store", tmp_path, "--json")
    assert resumed.code == 0, resumed.err
    assert deterministic(resumed.json["trials"]) == deterministic(ran.answer.json["trials"])
    assert histories(tmp_path) == histories(ran.store)
