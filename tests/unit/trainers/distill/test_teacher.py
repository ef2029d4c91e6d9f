"""Prove that the teacher stays what it was, and stays out of whatever belongs to the student."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.scenes import CROWD, preprocess
from tests.unit.trainers.tiny import CONFIG, TrainOnce, dataset, detector, differing, job, sgd, state, trial
from trainers.data.seeding import derive
from trainers.detectors.detector import build_empty, build_student
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.errors import TrialError
from trainers.loop import shared_batch, student_trainer
from trainers.loop.loop import train_alone
from trainers.loop.shared_batch import load_teacher, pixels
from trainers.schema import Teacher, TrialSpec, Weights, class_count
from trainers.schema.method import PkdMethod

CPU = torch.device("cpu")
# The statistics of Caffe's models, as mmdet's FCOS has them: another order of channels, no scaling.
CAFFE_MEAN = (102.9801, 115.9465, 122.7717)
CAFFE = f"""
_base_ = ["{CONFIG}"]
model = dict(data_preprocessor=dict(mean={list(CAFFE_MEAN)}, std=[1.0, 1.0, 1.0], bgr_to_rgb=False))
"""


@dataclass
class Watched:
    """Hold what a training run built, and the teacher's tensors from before its first step."""

    teachers: list[FrozenTeacher] = field(default_factory=list)
    before: dict[str, Tensor] = field(default_factory=dict)
    distillers: list[Distiller] = field(default_factory=list)
    optimizers: list[Any] = field(default_factory=list)
    asked_with: list[Tensor] = field(default_factory=list)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    found = Watched()

    def watch_teacher(*args: Any, **named: Any) -> Any:
        answer = load_teacher(*args, **named)
        assert answer is not None
        found.teachers.append(answer)
        found.before = {name: value.clone() for name, value in answer.detector.state_dict().items()}
        return answer

    def watch(build: Any, built: list[Any]) -> Any:
        def building(*args: Any, **named: Any) -> Any:
            built.append(build(*args, **named))
            return built[-1]

        return building

    predict = FrozenTeacher.forward

    def asked(self: FrozenTeacher, inputs: Tensor, *precision: Any) -> Any:
        found.asked_with.append(inputs)
        return predict(self, inputs, *precision)

    monkeypatch.setattr(shared_batch, "load_teacher", watch_teacher)
    monkeypatch.setattr(student_trainer, "Distiller", watch(student_trainer.Distiller, found.distillers))  # type: ignore[attr-defined]
    monkeypatch.setattr(student_trainer, "build_optimizer", watch(student_trainer.build_optimizer, found.optimizers))  # type: ignore[attr-defined]
    monkeypatch.setattr(FrozenTeacher, "forward", asked)
    return found


def test_training_leaves_the_teacher_alone_and_moves_the_student(
    distilled: TrialSpec, watched: Watched, tmp_path: Path
) -> None:
    train_alone(job(distilled, tmp_path))
    (teacher,) = watched.teachers
    assert differing(teacher.detector.state_dict(), watched.before) == []
    assert not any(module.training for module in teacher.detector.modules())
    assert not any(parameter.requires_grad for parameter in teacher.detector.parameters())
    fresh = build_student(distilled.student, class_count(distilled.dataset), derive(distilled.seed, "init"))
    trained, start = state(tmp_path / "last.pth"), fresh.state_dict()
    assert set(differing(trained, start)) >= {name for name, _ in fresh.named_parameters() if "weight" in name}


def test_the_teacher_is_in_nothing_of_the_students(distilled: TrialSpec, watched: Watched, tmp_path: Path) -> None:
    train_alone(job(distilled, tmp_path))
    (teacher,), (distiller,), (optimizer,) = watched.teachers, watched.distillers, watched.optimizers
    student = distiller.student
    assert {name for name, _ in distiller.named_parameters()} == {f"student.{n}" for n, _ in student.named_parameters()}
    assert distiller.state_dict().keys() == {f"student.{name}" for name in student.state_dict()}
    assert set(distiller.modules()) == {distiller, distiller.connectors, *student.modules()}
    frozen = {id(tensor) for tensor in teacher.detector.state_dict(keep_vars=True).values()}
    optimized = {id(p) for group in optimizer.optimizer.param_groups for p in group["params"]}
    assert optimized == {id(parameter) for parameter in student.parameters()}
    assert not optimized & frozen


def test_exported_checkpoints_hold_the_student_only(train_once: TrainOnce, distilled: TrialSpec) -> None:
    plain = build_empty(distilled.student, class_count(distilled.dataset)).state_dict()
    for name in ("best.pth", "last.pth"):
        content = torch.load(train_once(distilled) / name, weights_only=True)
        shapes = {key: value.shape for key, value in content["state_dict"].items()}
        assert shapes == {key: value.shape for key, value in plain.items()}
        assert content.keys() == {"state_dict", "meta"}
        assert content["meta"]["dataset_meta"]["classes"] == ["circle", "square", "triangle"]


def test_the_teachers_predictions_do_not_depend_on_the_rest_of_the_batch() -> None:
    teacher = FrozenTeacher(build_empty(detector(), 3))
    inputs, _ = preprocess(teacher.detector, (CROWD, CROWD))
    both, first = teacher.forward(inputs), teacher.forward(inputs[:1])
    torch.testing.assert_close(both.logits_AC[: len(first.logits_AC)], first.logits_AC, rtol=0.0, atol=1e-5)


def test_the_teacher_gets_the_images_in_its_own_normalisation(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "caffe.py").write_text(CAFFE)
    foreign = Teacher(detector=detector(config=str(tmp_path / "caffe.py")), weights=None)
    own = Teacher(detector=detector(2.0), weights=None)
    seen = {}
    for name, teacher in (("foreign", foreign), ("own", own)):
        method = PkdMethod(kind="pkd")
        spec = trial(teacher=teacher, method=method, schedule=sgd(iterations=1), dataset=dataset(val_images=1))
        train_alone(job(spec, tmp_path / name))
        seen[name] = watched.asked_with[-1]
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    pixels_rgb = seen["own"] * std + torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    expected = pixels_rgb.flip(1) - torch.tensor(CAFFE_MEAN).view(3, 1, 1)
    torch.testing.assert_close(seen["foreign"], expected, rtol=0.0, atol=1e-3)


def test_weights_that_do_not_fit_the_teacher_stop_the_trial(train_once: TrainOnce, distilled: TrialSpec) -> None:
    narrow = Weights(path=str(train_once(trial()) / "best.pth"))
    wrong = Teacher(detector=detector(2.0), weights=narrow)
    with pytest.raises(TrialError, match=r"does not fit the teacher: .*% of \d+ tensors loaded; other shape: \d+"):
        load_teacher(wrong, distilled, CPU)


def test_a_teacher_is_loaded_whole(distilled: TrialSpec) -> None:
    assert distilled.teacher is not None
    assert distilled.teacher.weights is not None
    loaded = load_teacher(distilled.teacher, distilled, CPU)
    assert loaded is not None
    assert pixels(distilled.teacher.detector) == pixels(distilled.student)
    assert differing(loaded.detector.state_dict(), state(Path(distilled.teacher.weights.path))) == []
