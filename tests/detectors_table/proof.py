"""Prove that a study can use one detector: train it, distil it, interrupt it, and export it to plain mmdet."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config

from tests.unit.trainers.tiny import assert_same_run, dataset, job, sgd, state, trial
from trainers.loop.loop import train
from trainers.schema import Detector, Job, NoDistillation, Teacher, TrialSpec
from trainers.schema.method import CwdMethod
from trainers.schema.record import Record, read_history
from trainers.schema.schedule import ConstantPolicy, Sgd

SIDE = 64  # pixels
# SSD's coarsest levels are cut away at the borders, and the heads of the other two halve their maps often.
LARGER_SIDES = {"SSDHead": 320, "PISASSDHead": 320, "CornerHead": 128, "CentripetalHead": 128}
EPOCHS, IMAGES = 2, 2  # of one step each; of a step
CLASSES = ("circle", "square", "triangle")


def prove(detector: Detector, folder: Path, head: str | None = None, classes: tuple[str, ...] = CLASSES) -> None:
    """Raise unless the detector trains alone and by one feature term, resumes to the bit, and is exported."""
    spec = _trial(detector, LARGER_SIDES.get(head or "", SIDE), classes)
    alone, distilled = folder / "alone", folder / "distilled"
    _train_and_resume(spec, alone, folder / "resumed")
    _require_steps(read_history(alone), ())
    _require_export(alone)
    shutil.rmtree(alone)
    teacher = Teacher(detector=detector, weights=None)
    changes = {
        "teacher": teacher,
        "method": CwdMethod(kind="cwd"),
        "dataset": spec.dataset.model_copy(update={"train_images": 2 * IMAGES}),
        "schedule": spec.schedule.model_copy(update={"epochs": 1}),
    }
    spec = spec.model_copy(update=changes)
    _train_alone(job(spec, distilled))
    _require_steps(read_history(distilled), ("cwd",))


def _trial(detector: Detector, side: int, classes: tuple[str, ...]) -> TrialSpec:
    rule = Sgd(kind="sgd")
    schedule = sgd(
        epochs=EPOCHS, batch_size=IMAGES, lr=1e-4, optimizer=rule, policy=ConstantPolicy(kind="constant"),
        clip_grad=1.0, val_interval=EPOCHS,
    )  # fmt: skip
    data = dataset(train_images=IMAGES, val_images=1, image_size=(side, side), classes=classes)
    return trial(dataset=data, student=detector, method=NoDistillation(kind="none"), schedule=schedule)


def _train_alone(one: Job) -> None:
    for _ in train([one]):
        pass
    gc.collect()


def _train_and_resume(spec: TrialSpec, whole: Path, resumed: Path) -> None:
    """Train a trial, copy what it has left after its first step, go on from that, and compare to the bit."""
    for number, _ in enumerate(_records(job(spec, whole))):
        if number == 0:
            shutil.copytree(whole, resumed, copy_function=os.link)  # files are replaced, never written into
    gc.collect()
    _train_alone(job(spec, resumed))
    assert_same_run(whole, resumed)
    shutil.rmtree(resumed)


def _records(one: Job) -> Iterator[Record]:
    for _, record in train([one]):
        yield record


def _require_steps(history: list[Record], terms: tuple[str, ...]) -> None:
    """Raise unless both steps were made, with losses, and the student was evaluated."""
    assert history[-1].step == 2
    for record in history:
        losses = {name: value for name, value in record.metrics.items() if name.startswith("loss/")}
        assert len(losses) > 1 + len(terms), losses
        assert all(f"loss/{term}" in losses for term in terms)
        assert losses["loss/total"] > 0
    assert "coco/bbox_mAP" in history[-1].metrics


@torch.no_grad()
def _require_export(directory: Path) -> None:
    """Raise unless plain mmdet builds the exported config, loads all weights, and detects in an image."""
    model: Any = MODELS.build(Config.fromfile(directory / "config.py").model)
    model.load_state_dict(state(directory / "last.pth"), strict=True)
    model.eval()
    size = (384, 512)
    sample = DetDataSample(metainfo={"img_id": 0, "img_shape": size, "ori_shape": size, "scale_factor": (1.0, 1.0)})
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    [found] = model.test_step({"inputs": [image], "data_samples": [sample]})
    boxes = found.pred_instances.bboxes
    assert boxes.shape[1] == 4
    assert boxes.isfinite().all()
