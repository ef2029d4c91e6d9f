"""A teacher and its student of three classes start from a detector of 80, one of which they share, and train as planned."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor

from tests.unit.trainers.tiny import CONFIG, assert_same_run, changed, dataset, differing, job, sgd, state, trial
from tests.unit.trainers.tiny_heads import woken
from trainers.detectors.detector import build_empty
from trainers.loop.loop import train_alone
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Bckd, Detector, Teacher, TrialSpec, Weights
from trainers.schema.class_names import COCO80
from trainers.schema.detector import CheckpointWeights, Freeze

SHARED, THEIR_PLACE, OUR_PLACE = "square", 41, 1
THEIRS = (*COCO80[:THEIR_PLACE], SHARED, *COCO80[THEIR_PLACE + 1 :])
OURS = ("circle", "square", "triangle")
WEIGHT, BIAS = "bbox_head.gfl_cls.weight", "bbox_head.gfl_cls.bias"
SHORT = sgd(epochs=2, policy=sgd().policy.model_copy(update={"milestones": (1,)}))


class Killed(BaseException):
    """Stand for the death of the process."""


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> CheckpointWeights:
    """Return a detector of 80 classes, written as mmdet 3.x does; its head and biases are of no new detector."""
    path = tmp_path_factory.mktemp("coco") / "detector.pth"
    model = woken(Path(CONFIG), 3, len(THEIRS))
    with torch.no_grad():
        model.bbox_head.gfl_cls.bias.copy_(torch.linspace(-6.0, -2.0, len(THEIRS)))
    meta = {"dataset_meta": {"classes": THEIRS, "palette": [(0, 0, 0)]}, "experiment_name": "coco", "epoch": 12}
    torch.save({"meta": meta, "state_dict": model.state_dict(), "message_hub": {}}, path)
    return CheckpointWeights(kind="checkpoint", path=str(path))


@pytest.fixture(scope="module")
def spec(coco: CheckpointWeights) -> TrialSpec:
    return changed(trial(), student=Detector(config=CONFIG, weights=coco), schedule=SHORT)


def begun(spec: TrialSpec, folder: Path) -> dict[str, Tensor]:
    """Return the student's weights before its first step."""
    trainer = StudentTrainer(job(spec, folder), 2, torch.device("cpu"))
    return {key: value.clone() for key, value in trainer.student.state_dict().items()}


def test_a_student_begins_with_the_detectors_weights_and_the_shared_classs_rows(
    spec: TrialSpec, coco: CheckpointWeights, tmp_path: Path
) -> None:
    own, theirs = begun(spec, tmp_path / "started"), state(Path(coco.path))
    fresh = begun(changed(spec, student=Detector(config=CONFIG, weights="random")), tmp_path / "fresh")
    assert differing(own, theirs) == sorted([BIAS, WEIGHT])
    for key in (WEIGHT, BIAS):
        expected = fresh[key].clone()
        expected[OUR_PLACE] = theirs[key][THEIR_PLACE]
        assert torch.equal(own[key], expected)
        assert not torch.equal(own[key], fresh[key])


def test_training_that_dies_goes_on_to_the_bit_and_reports_its_start(
    spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_alone(job(spec, tmp_path / "whole"))
    train_step = StudentTrainer.train_step
    for step in (1, 3):

        def die(self: StudentTrainer, *args: Any, at: int = step) -> None:
            if self.step == at:
                raise Killed
            train_step(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(StudentTrainer, "train_step", die)
            with pytest.raises(Killed):
                train_alone(job(spec, tmp_path / "killed", checkpoint_steps=1))
    train_alone(job(spec, tmp_path / "killed", checkpoint_steps=1))
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    reports = [json.loads((tmp_path / name / "weights.json").read_text()) for name in ("whole", "killed")]
    assert reports[0] == reports[1]
    report = reports[0]["start"]
    assert (report["classes_taken"], report["classes_fresh"]) == ([SHARED], ["circle", "triangle"])
    assert (sorted(report["rows_taken"]), report["fresh"], report["unused"]) == ([BIAS, WEIGHT], {}, [])
    assert report["taken"] == report["tensors"] - 2


def test_a_fine_tuned_teacher_teaches_a_fine_tuned_student_that_plain_mmdet_loads(
    spec: TrialSpec, tmp_path: Path
) -> None:
    train_alone(job(spec, tmp_path / "teacher"))
    teacher = Teacher(detector=spec.student, weights=Weights(path=str(tmp_path / "teacher" / "best.pth")))
    distilled = changed(spec, teacher=teacher, method=Bckd(kind="bckd"))
    train_alone(job(distilled, tmp_path / "student"))
    plain = MODELS.build(Config.fromfile(tmp_path / "student" / "config.py").model)
    saved = torch.load(tmp_path / "student" / "best.pth", weights_only=True)
    plain.load_state_dict(saved["state_dict"], strict=True)
    assert tuple(saved["meta"]["dataset_meta"]["classes"]) == OURS
    assert plain.bbox_head.num_classes == len(OURS)


# --------------------------------------------------------------------------------------------------------------- freeze


@pytest.mark.parametrize(
    ("freeze", "frozen", "trained", "evaluated"),
    [
        (None, ("conv1", "bn1", "layer1"), ("layer2",), True),
        (Freeze(stages=-1), (), ("conv1", "layer1"), True),
        (Freeze(stages=2), ("conv1", "layer1", "layer2"), ("layer3",), True),
        (Freeze(stages=0, norms=False), ("conv1", "bn1"), ("layer1",), False),
    ],
    ids=["config", "nothing", "two stages", "stem"],
)
def test_freeze_decides_which_stages_train(
    freeze: Freeze | None, frozen: tuple[str, ...], trained: tuple[str, ...], evaluated: bool
) -> None:
    weights = CheckpointWeights(kind="checkpoint", path="unread.pth")
    detector = Detector(config="stillhouse::gfl_r18_fpn.py", width=0.125, weights=weights, freeze=freeze)
    backbone = build_empty(detector, 3).train().backbone
    for name in frozen:
        assert not any(parameter.requires_grad for parameter in getattr(backbone, name).parameters())
    for name in trained:
        assert all(parameter.requires_grad for parameter in getattr(backbone, name).parameters())
    assert backbone.layer4[0].bn1.training is not evaluated


def test_frozen_stages_keep_the_weights_that_they_started_from(
    spec: TrialSpec, coco: CheckpointWeights, tmp_path: Path
) -> None:
    student = Detector(config=CONFIG, weights=coco, freeze=Freeze(stages=2, norms=True))
    train_alone(job(changed(spec, student=student, dataset=dataset(train_images=4)), tmp_path))
    moved = differing(state(tmp_path / "last.pth"), state(Path(coco.path)))
    assert not [key for key in moved if key.startswith(("backbone.conv1", "backbone.layer1", "backbone.layer2"))]
    assert not [key for key in moved if key.startswith("backbone.") and "running" in key]
    assert [key for key in moved if key.startswith("backbone.layer4")]
