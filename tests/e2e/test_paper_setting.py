"""The paper's main setting: planned without data and GPU, and run for two iterations with the real pair."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.e2e.stillhouse import ROOT, histories, stillhouse

STUDY = ROOT / "configs" / "studies" / "gfl_r50_from_r101_coco.yaml"


def test_plan_needs_neither_data_nor_gpu_and_names_what_is_missing(tmp_path: Path) -> None:
    answer = stillhouse("plan", STUDY, "--json", STILLHOUSE_DATA=str(tmp_path), STILLHOUSE_CACHE=str(tmp_path))
    assert answer.code == 0, answer.err
    plan = answer.json
    assert [(t["role"], t["method"]) for t in plan["trials"]] == [
        ("teacher", "none"), ("student", "none"), ("student", "bckd"),
    ]  # fmt: skip
    missing = {f["where"].split(": ")[1]: f["message"] for f in plan["findings"] if f["level"] == "missing"}
    assert str(tmp_path / "coco") in missing["dataset.root"]
    assert "resnet50" in missing["student.weights"]
    assert "dd12f847" in missing["teacher.name"]
    run = stillhouse(
        "run", STUDY, "--store", tmp_path / "s", STILLHOUSE_DATA=str(tmp_path), STILLHOUSE_CACHE=str(tmp_path)
    )
    assert run.code == 2
    assert not (tmp_path / "s").exists()


@pytest.mark.slow  # tests/ray trains small pairs on two workers, tests/unit/trainers/loop the real ones on one
def test_two_workers_train_the_real_pair_for_two_iterations(tmp_path: Path) -> None:
    write_tiny_coco(tmp_path / "coco")
    answer = stillhouse(
        "run", STUDY, "--workers", 2, "--random-weights", "--store", tmp_path / "store", "--json",
        "--set", "dataset.image_size=[64, 64]", "--set", "schedule.iterations=2",
        STILLHOUSE_DATA=str(tmp_path), STILLHOUSE_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.err.count("RANDOM WEIGHTS") == 2
    trials = answer.json["trials"]
    assert [(t["method"], t["status"], t["epoch"]) for t in trials] == [
        ("none", "finished", 2),
        ("bckd", "finished", 2),
    ]
    distilled = histories(tmp_path / "store")[trials[1]["id"]]
    assert [record["step"] for record in distilled] == [1, 2]
    assert all({"loss/bckd_cls", "loss/bckd_loc"} <= set(record["metrics"]) for record in distilled)
    assert all(np.isfinite(list(record["metrics"].values())).all() for record in distilled)


def write_tiny_coco(root: Path) -> None:
    """Write four noise images with one box each, in COCO's layout, with COCO's 80 classes."""
    rng = np.random.default_rng(0)
    for split in ("train2017", "val2017"):
        (root / split).mkdir(parents=True)
        names = [f"{number:012d}.jpg" for number in range(1, 5)]
        for name in names:
            assert cv2.imwrite(str(root / split / name), rng.integers(0, 256, (96, 128, 3), np.uint8))
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(annotations(names)))


def annotations(names: list[str]) -> dict[str, object]:
    """Return a COCO annotation file: one box of a different class in each image."""
    from trainers.schema import CocoDataset, class_names

    classes = class_names(CocoDataset(kind="coco", root="."))
    return {
        "images": [{"id": i, "file_name": name, "width": 128, "height": 96} for i, name in enumerate(names, 1)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(classes, 1)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": i, "bbox": [20, 10, 60, 50], "area": 3000, "iscrowd": 0}
            for i in range(1, len(names) + 1)
        ],
    }
