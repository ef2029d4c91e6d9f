"""Time one distilling step of GFL R101 -> R50 against what it cannot do without, and against mmdet's own."""

from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import torch
from mmengine.optim import build_optim_wrapper
from torch import Tensor

from tests.benchmarks.batch import batch
from tests.benchmarks.detectors import R50, R101, build, build_ld
from tests.benchmarks.figure import Measured, Setting
from tests.benchmarks.pairs import Work, interleave, median
from trainers.data.batch_scale import Size
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import FrozenTeacher
from trainers.loop.accumulate import Chunk
from trainers.loop.loop import prepare_process
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Bckd, Job, Schedule, ShapesDataset, Teacher, TrialSpec

METHOD = Bckd(kind="bckd")
STEPS_PER_EPOCH = 1_000_000
SCHEDULE = Schedule(epochs=12, batch_size=2, lr=1e-6)  # small enough for random weights to stay finite
PLAIN = {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 1e-6, "momentum": 0.9, "weight_decay": 1e-4}}


def shape(setting: Setting) -> tuple[int, Size]:
    """Return the number of images and their (height, width): the paper's on a GPU, less than a tenth on a CPU."""
    return (2, (800, 1344)) if setting.cuda else (2, (256, 352))


def against_its_parts(setting: Setting) -> Measured:
    """Compare a BCKD step with a step of the student alone plus a forward pass of the teacher alone."""
    scene = Scene(setting)
    plain, teacher = (
        Plain(build(R50), scene.inputs, scene.samples),
        build(R101).to(setting.device).eval().requires_grad_(False),
    )

    def parts() -> None:
        plain.step()
        with torch.no_grad():
            teacher.bbox_head(teacher.extract_feat(scene.inputs))

    return scene.compare(distilling_step(scene), parts)


def against_ld_head(setting: Setting) -> Measured:
    """Compare a BCKD step with a step of mmdet's ``LDHead``, with the same teacher, student and batch."""
    scene = Scene(setting)
    plain = Plain(build_ld(), scene.inputs, scene.samples)
    return scene.compare(distilling_step(scene), plain.step)


class Scene:
    """Hold the batch that both sides of a figure see."""

    def __init__(self, setting: Setting) -> None:
        prepare_process(setting.threads, setting.cuda)
        self.setting = setting
        self.images, self.size = shape(setting)
        self.inputs, self.samples = batch(build(R50).to(setting.device), self.images, self.size)

    def compare(self, ours: Work, theirs: Work) -> Measured:
        """Time both sides in pairs."""
        found = interleave(ours, theirs, self.setting.pairs, self.setting.clock)
        height, width = self.size
        times = f"{median(found.ours):.2f} s and {median(found.theirs):.2f} s"
        return Measured(found.ratios, f"{self.images} images of {width} x {height}, {times}, {len(found.ours)} pairs")


class Plain:
    """Train a detector as mmengine does: losses, backward pass, optimizer step."""

    def __init__(self, detector: Any, inputs: Tensor, samples: Any) -> None:
        self._detector, self._inputs, self._samples = detector.to(inputs.device), inputs, samples
        self._detector.train()  # mmdet's distilling detector does not return itself here
        self._optimizer = build_optim_wrapper(self._detector, PLAIN)

    def step(self) -> None:
        """Make one step on the batch."""
        losses = self._detector.loss(self._inputs, self._samples)
        self._optimizer.update_params(self._detector.parse_losses(losses)[0])


def distilling_step(scene: Scene) -> Work:
    """Return our step on the scene's batch, all of it: what a group asks the teacher and a member does with the answer."""
    device = scene.setting.device
    teacher = FrozenTeacher(build(R101).to(device))
    teacher.serve(METHOD)
    trained = member(teacher, device)
    trained.train_mode()

    def step() -> None:
        trained.train_step([Chunk(scene.inputs, scene.samples, teacher.forward(scene.inputs), TargetCache())])

    return step


def member(teacher: FrozenTeacher, device: torch.device) -> StudentTrainer:
    """Return a student in training, with COCO's classes; its first step alone is probed."""
    trial = TrialSpec(
        dataset=ShapesDataset(kind="shapes"),
        student=R50,
        teacher=Teacher(detector=R101, weights=None),
        method=METHOD,
        schedule=SCHEDULE,
    )
    job = Job(trial=trial, trial_id="benchmark", directory=mkdtemp())
    with patch(
        "trainers.loop.student_trainer.build_student", return_value=build(R50)
    ):  # no data set, no ImageNet weights
        return StudentTrainer(job, STEPS_PER_EPOCH, device, teacher)
