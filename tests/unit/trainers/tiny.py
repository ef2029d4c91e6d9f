"""Describe trials that take a second, and read what they leave behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.schema import Detector, Job, NoDistillation, Placement, Schedule, ShapesDataset, TrialSpec
from trainers.schema.record import Record, read_history
from trainers.schema.schedule import AdamW, CosinePolicy, Sgd, StepPolicy, Warmup

CONFIG = str(Path(__file__).with_name("tiny_gfl.py"))
TrainOnce = Callable[[TrialSpec], Path]
EPOCHS, STEPS_PER_EPOCH = 3, 2


def dataset(**changes: Any) -> ShapesDataset:
    """Return 8 training and 8 validation images of 64 x 64 pixels."""
    sizes = {"train_images": 8, "val_images": 8, "image_size": (64, 64)}
    return ShapesDataset(**{"kind": "shapes", **sizes, **changes})


def detector(width: float = 1.0, config: str = CONFIG) -> Detector:
    """Return a tiny GFL that starts from random weights."""
    return Detector(config=config, width=width, weights="random")


def sgd(**changes: Any) -> Schedule:
    """Return a schedule whose learning rate is warmed up and falls by steps."""
    values = {
        "epochs": EPOCHS,
        "batch_size": 4,
        "lr": 0.02,
        "optimizer": Sgd(kind="sgd"),
        "warmup": Warmup(iterations=3, factor=0.1),
        "policy": StepPolicy(kind="step", milestones=(1, 2)),
    }
    return Schedule(**{**values, **changes})


def adamw(**changes: Any) -> Schedule:
    """Return a schedule whose learning rate is warmed up and falls along a cosine, with clipped gradients."""
    cosine = CosinePolicy(kind="cosine", final_factor=0.1)
    return sgd(**{"lr": 2e-3, "optimizer": AdamW(kind="adamw"), "policy": cosine, "clip_grad": 5.0, **changes})


def trial(width: float = 1.0, **changes: Any) -> TrialSpec:
    """Return a trial that trains a student alone."""
    values = {
        "dataset": dataset(),
        "student": detector(width),
        "method": NoDistillation(kind="none"),
        "schedule": sgd(),
    }
    return TrialSpec(**{**values, **changes})


def job(spec: TrialSpec, directory: Path, trial_id: str = "trial", **placement: Any) -> Job:
    """Ask for a trial in a directory."""
    return Job(trial=spec, trial_id=trial_id, directory=str(directory), placement=Placement(**placement))


def changed(spec: TrialSpec, **changes: Any) -> TrialSpec:
    """Return the trial with some sections replaced."""
    return spec.model_copy(update=changes)


def state(path: Path) -> dict[str, Tensor]:
    """Return the weights in a student checkpoint."""
    weights: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return weights


def differing(first: dict[str, Tensor], second: dict[str, Tensor]) -> list[str]:
    """Return the names whose tensors are not equal to the bit, or that one side lacks."""
    names = sorted(first.keys() | second.keys())
    return [n for n in names if n not in first or n not in second or not torch.equal(first[n], second[n])]


def results(history: list[Record]) -> list[tuple[int, int, bool, dict[str, float]]]:
    """Return what a history says of the trial, without times."""
    return [(record.epoch, record.step, record.final, record.metrics) for record in history]


def assert_same_run(first: Path, second: Path) -> None:
    """Compare two finished trials: metrics and weights to the last bit."""
    assert results(read_history(first)) == results(read_history(second))
    for name in ("best.pth", "last.pth"):
        assert differing(state(first / name), state(second / name)) == []
