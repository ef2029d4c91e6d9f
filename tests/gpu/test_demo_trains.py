"""Train the demo's teacher and student on a GPU; tests/conftest.py skips this folder where there is none."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainers.scenes import CROWD, LARGE, preprocess
from tests.unit.trainers.tiny import detector, job
from trainers.detectors.detector import build_empty
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.loop.loop import train, train_alone
from trainers.schema import Bckd, Detector, NoDistillation, Schedule, ShapesDataset, Teacher, TrialSpec, Weights
from trainers.schema.record import Record, read_status
from trainers.schema.schedule import AdamW, CosinePolicy, Precision, Warmup

GFL = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
IMAGES = ShapesDataset(kind="shapes", train_images=64, val_images=16)
EPOCHS = 8
SCHEDULE = Schedule(
    epochs=EPOCHS,
    batch_size=8,
    lr=2e-3,
    optimizer=AdamW(kind="adamw"),
    warmup=Warmup(iterations=8),
    policy=CosinePolicy(kind="cosine"),
    clip_grad=10.0,
    val_interval=EPOCHS,
)
METHOD = Bckd(kind="bckd")


def shrunk_gfl(width: float) -> Detector:
    return Detector(config=GFL, backbone_depth=18, width=width, weights="random")


@pytest.fixture(scope="module")
def teacher_trial() -> TrialSpec:
    return TrialSpec(dataset=IMAGES, student=shrunk_gfl(0.5), method=NoDistillation(kind="none"), schedule=SCHEDULE)


@pytest.fixture(scope="module")
def teacher(teacher_trial: TrialSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("teacher")
    train_alone(job(teacher_trial, directory, cuda=True))
    return directory


def assert_learned(history: list[Record], directory: Path) -> None:
    totals = [record.metrics["loss/total"] for record in history]
    assert all(math.isfinite(value) for record in history for value in record.metrics.values())
    assert totals[-1] < 0.9 * totals[0]
    assert read_status(directory) == "finished"


def test_the_teacher_learns(teacher_trial: TrialSpec, teacher: Path) -> None:
    assert_learned(train_alone(job(teacher_trial, teacher)), teacher)  # replayed, not trained again


def distilled(teacher_trial: TrialSpec, teacher: Path, schedule: Schedule = SCHEDULE) -> TrialSpec:
    return TrialSpec(
        dataset=IMAGES,
        student=shrunk_gfl(0.25),
        teacher=Teacher(detector=teacher_trial.student, weights=Weights(path=str(teacher / "best.pth"))),
        method=METHOD,
        schedule=schedule,
    )


def test_the_student_learns_from_it(teacher_trial: TrialSpec, teacher: Path, tmp_path: Path) -> None:
    history = train_alone(job(distilled(teacher_trial, teacher), tmp_path, cuda=True))
    assert_learned(history, tmp_path)
    assert min(history[-1].metrics[name] for name in ("loss/bckd_cls", "loss/bckd_loc")) > 0.0
    weights = torch.load(tmp_path / "best.pth", weights_only=True)["state_dict"]
    assert {value.device.type for value in weights.values()} == {"cpu"}  # loads where there is no GPU


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_it_learns_in_half_precision_and_goes_on(
    precision: Precision, teacher_trial: TrialSpec, teacher: Path, tmp_path: Path
) -> None:
    schedule = SCHEDULE.model_copy(update={"precision": precision})
    wanted = job(distilled(teacher_trial, teacher, schedule), tmp_path, cuda=True, channels_last=True)
    records = train([wanted])
    next(records)
    records.close()  # type: ignore[attr-defined]
    assert_learned(train_alone(wanted), tmp_path)


def test_a_trial_that_began_on_the_gpu_goes_on_there(teacher_trial: TrialSpec, tmp_path: Path) -> None:
    wanted = job(teacher_trial, tmp_path, cuda=True)
    records = train([wanted])
    next(records)
    records.close()  # type: ignore[attr-defined]
    history = train_alone(wanted)
    assert [record.epoch for record in history] == list(range(1, EPOCHS + 1))
    assert_learned(history, tmp_path)


def test_losses_equal_those_on_the_cpu() -> None:
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # ten bits of mantissa would hide a mistake
        expected, found = (losses_on(torch.device(name)) for name in ("cpu", "cuda"))
    assert found == pytest.approx(expected, rel=1e-4)
    assert min(expected["bckd_cls"], expected["bckd_loc"]) > 0.0


def losses_on(device: torch.device) -> dict[str, float]:
    """Compute all losses of an untrained student against a teacher of other weights."""
    student = build_empty(detector(), 3, seed=1).to(device).train()
    teacher = FrozenTeacher(build_empty(detector(2.0), 3, seed=2).to(device))
    inputs, samples = preprocess(student, (LARGE, CROWD))
    losses: dict[str, Any] = Distiller(student, METHOD)(inputs, samples, teacher.forward(inputs), TargetCache())
    return {name: value.item() for name, value in losses.items()}
