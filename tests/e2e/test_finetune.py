"""The commands of docs/finetune.md, on a detector of 80 classes and a drawn data set of three, one of which they share."""

import json
import re
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from tests.e2e.stillhouse import ROOT, Answer, stillhouse
from trainers.detectors.detector import build_empty
from trainers.schema import Detector
from trainers.schema.class_names import COCO80

SHARED, THEIR_PLACE, OUR_PLACE = "square", 41, 1
BIAS = "bbox_head.gfl_cls.bias"
DETECTOR = "config: mmdet::gfl/gfl_r50_fpn_1x_coco.py, backbone_depth: 18, width: 0.125"
STUDY = f"""
name: finetune
dataset: {{kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}}
teacher:
  kind: train
  detector: {{{DETECTOR}, weights: {{kind: checkpoint, path: coco.pth}}}}
  schedule: {{epochs: 1, batch_size: 4, lr: 1.0e-3, warmup: {{iterations: 1}}, policy: {{kind: constant}}}}
student: {{{DETECTOR}, weights: {{kind: checkpoint, path: coco.pth}}, freeze: {{stages: 2}}}}
method: {{kind: bckd}}
schedule: {{epochs: 1, batch_size: 4, lr: 1.0e-3, warmup: {{iterations: 1}}, policy: {{kind: constant}}}}
search: {{baseline: false}}
"""


def documented() -> list[list[str]]:
    """Return the commands of the page, without its comments."""
    text = (ROOT / "docs" / "finetune.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```bash\n(.*?)^```", text, flags=re.M | re.S)
    return [line.partition("#")[0].split()[1:] for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a study, and a detector checkpoint as mmdet 3.x writes it."""
    detector = Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth=18, width=0.125, weights="random")
    model = build_empty(detector, len(COCO80), seed=5)
    with torch.no_grad():
        model.bbox_head.gfl_cls.bias.copy_(torch.linspace(-6.0, -2.0, len(COCO80)))
    names = (*COCO80[:THEIR_PLACE], SHARED, *COCO80[THEIR_PLACE + 1 :])
    meta = {"dataset_meta": {"classes": names}, "epoch": 12, "experiment_name": "coco"}
    torch.save({"meta": meta, "state_dict": model.state_dict(), "message_hub": {}}, tmp_path / "coco.pth")
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def command(folder: Path, words: list[str], *more: str) -> Answer:
    """Run a command of the page in the folder, with a store and a cache of its own."""
    here = [str(folder / word) if word in ("study.yaml", "student") else word for word in words]
    store = [] if words[0] == "check" else ["--store", str(folder / "store")]
    return stillhouse(*here, *store, *more, STILLHOUSE_CACHE=str(folder / "cache"))


def test_teacher_and_student_start_from_a_detector_and_the_student_is_plain_mmdets(folder: Path) -> None:
    check, plan, run, export = documented()
    assert command(folder, check).code == 0
    planned = command(folder, plan, "--json")
    assert planned.code == 0, planned.out + planned.err
    starts = planned.json["starts"]
    assert [start["where"].rpartition(": ")[2] for start in starts] == ["teacher.detector.weights", "student.weights"]
    for start in starts:
        assert (start["classes_taken"], start["classes_fresh"]) == ([SHARED], ["circle", "triangle"])
        assert (start["taken"], start["fresh"]) == (start["tensors"] - 2, {})
    shown = command(folder, plan)
    line = STUDY.splitlines().index(next(one for one in STUDY.splitlines() if one.startswith("student:"))) + 1
    assert (
        f"study.yaml:{line}: student.weights: note: {starts[1]['taken']} of {starts[1]['tensors']} tensors" in shown.out
    )
    answer = command(folder, run)
    assert answer.code == 0, answer.err
    trials = sorted((folder / "store" / "trials").iterdir())
    reports = [json.loads((trial / "weights.json").read_text())["start"] for trial in trials]
    assert all(report == {key: starts[0][key] for key in report} for report in reports)
    copies = [path for path in (folder / "store").rglob("weights.json") if "trials" not in path.parts]
    assert len(copies) == len(trials) == 2  # MLflow's artifacts
    exported = command(folder, export)
    assert exported.code == 0, exported.err
    plain = MODELS.build(Config.fromfile(next((folder / "student").rglob("*.py"))).model)
    saved = torch.load(next((folder / "student").rglob("*.pth")), weights_only=True)
    plain.load_state_dict(saved["state_dict"], strict=True)
    begun = torch.load(folder / "coco.pth", weights_only=True)["state_dict"]
    kept = [key for key in begun if key.startswith(("backbone.conv1", "backbone.layer1", "backbone.layer2"))]
    assert all(torch.equal(saved["state_dict"][key], begun[key]) for key in kept)
    distance = (saved["state_dict"][BIAS][OUR_PLACE] - begun[BIAS][THEIR_PLACE]).abs()
    assert distance < 0.05  # two steps from where it began
    assert not torch.equal(saved["state_dict"]["neck.fpn_convs.0.conv.weight"], begun["neck.fpn_convs.0.conv.weight"])
    assert (saved["state_dict"][BIAS][0] - begun[BIAS][0]).abs() > 0.5  # the first of the 80 is another class


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("student.width=0.25", r"study.yaml:\d+: student.weights: .*coco\.pth is of another architecture"),
        ("student.weights.path=gone.pth", r"student.weights.path: .*gone\.pth"),
    ],
)
def test_a_start_that_cannot_be_used_ends_the_run_before_anything_is_trained(
    change: str, says: str, folder: Path
) -> None:
    _, _, run, _ = documented()
    answer = command(folder, run, "--set", change)
    assert answer.code == 2
    assert re.search(says, answer.err + answer.out), answer.err
    assert "Traceback" not in answer.err
    assert not (folder / "store" / "trials").exists()
