"""Folders, as labelling tools and public data sets leave them, become a study, a table and a student: nothing is edited."""

import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.stillhouse import stillhouse
from tests.unit.orchestrator.first_study.layouts import LAYOUTS

ONE_EPOCH = ("--set", "schedule.epochs=1", "--set", "teacher.schedule.epochs=1", "--set", "dataset.image_size=[96,96]")
TRIED = "Roboflow's YOLO"  # in test_init.py, which CI runs


def bccd() -> Path:
    folder = Path(os.environ.get("STILLHOUSE_DATA", "")) / "bccd"
    if "STILLHOUSE_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("STILLHOUSE_DATA names no folder with bccd in it")
    return folder


def bccd_as_it_is(folder: Path) -> None:
    folder.symlink_to(bccd(), target_is_directory=True)


def bccd_as_yolo(folder: Path) -> None:
    """Write BCCD's boxes as YOLO's text labels, in the folders that Ultralytics' documentation asks for."""
    names = ["RBC", "WBC", "Platelets"]
    for split in ("train", "val"):
        content = json.loads((bccd() / "annotations" / f"instances_{split}.json").read_text())
        labels = {kind["id"]: names.index(kind["name"]) for kind in content["categories"]}
        boxes = defaultdict(list)
        for box in content["annotations"]:
            boxes[box["image_id"]].append((labels[box["category_id"]], *box["bbox"]))
        for place in ("images", "labels"):
            (folder / place / split).mkdir(parents=True)
        for image in content["images"]:
            wide, high, name = image["width"], image["height"], image["file_name"]
            lines = [
                f"{label} {(x + w / 2) / wide:.6f} {(y + h / 2) / high:.6f} {w / wide:.6f} {h / high:.6f}"
                for label, x, y, w, h in boxes[image["id"]]
            ]
            (folder / "images" / split / name).symlink_to(bccd() / "JPEGImages" / name)
            (folder / "labels" / split / name).with_suffix(".txt").write_text("\n".join(lines))
    (folder / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/val\nnames: {names}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "write",
    [*(pytest.param(made[0], id=name) for name, made in LAYOUTS.items() if name != TRIED), bccd_as_it_is, bccd_as_yolo],
)
def test_three_typed_lines(write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    for command in (("init", "photos"), ("check", "study.yaml"), ("plan", "study.yaml")):
        answer = stillhouse(*command)
        assert answer.code == 0, answer.err
    run = stillhouse("run", "study.yaml", *ONE_EPOCH, "--json")
    assert run.code == 0, run.err
    assert {trial["status"] for trial in run.json["trials"]} == {"finished"}
    export = stillhouse("export", "study.yaml", *ONE_EPOCH, "--to", "student")
    assert export.code == 0, export.err
    assert {"README.md", "config.py", "student.pth", "val.json"} <= {
        path.name for path in (tmp_path / "student").iterdir()
    }
