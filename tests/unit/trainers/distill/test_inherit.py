"""A student that inherits starts from the teacher's neck and head, after its own initialisation, and says what fitted."""

import json
from pathlib import Path

import torch

from tests.unit.trainers.tiny import TrainOnce, differing, job, sgd, state, trial
from trainers.data.seeding import derive
from trainers.detectors.detector import build_student
from trainers.loop.loop import train_alone
from trainers.schema import Bckd, Teacher, Weights, class_count

EVALUATED_ONLY = sgd(iterations=0)


def test_neck_and_head_are_the_teachers_and_the_backbone_is_the_students_own(
    train_once: TrainOnce, tmp_path: Path
) -> None:
    alone = trial(seed=5)
    equal = Teacher(detector=alone.student, weights=Weights(path=str(train_once(alone) / "best.pth")))
    spec = trial(teacher=equal, method=Bckd(kind="bckd", inherit=True), schedule=EVALUATED_ONLY)
    train_alone(job(spec, tmp_path))
    student, taught = state(tmp_path / "last.pth"), state(train_once(alone) / "best.pth")
    fresh = build_student(spec.student, class_count(spec.dataset), derive(spec.seed, "init")).state_dict()
    for name, tensor in student.items():
        assert torch.equal(tensor, (fresh if name.startswith("backbone.") else taught)[name]), name
    report = json.loads((tmp_path / "weights.json").read_text())["inherited"]
    assert report["share"] == 1.0
    assert report["tensors"] == sum(not name.startswith("backbone.") for name in student)


def test_what_does_not_fit_is_named_with_both_shapes(teacher: Teacher, tmp_path: Path) -> None:
    spec = trial(teacher=teacher, method=Bckd(kind="bckd", inherit=True), schedule=EVALUATED_ONLY)
    train_alone(job(spec, tmp_path))
    report = json.loads((tmp_path / "weights.json").read_text())["inherited"]
    shapes = {row["tensor"]: (row["here"], row["there"]) for row in report["other_shape"]}
    assert shapes["neck.lateral_convs.0.conv.weight"] == ([32, 32, 1, 1], [64, 64, 1, 1])
    assert 0.0 < report["share"] < 1.0


def test_without_inheriting_the_student_starts_on_its_own(teacher: Teacher, tmp_path: Path) -> None:
    spec = trial(teacher=teacher, method=Bckd(kind="bckd"), schedule=EVALUATED_ONLY)
    train_alone(job(spec, tmp_path))
    fresh = build_student(spec.student, class_count(spec.dataset), derive(spec.seed, "init")).state_dict()
    assert differing(state(tmp_path / "last.pth"), fresh) == []
    assert not (tmp_path / "weights.json").exists()
