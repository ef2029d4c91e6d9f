"""Measure how many images a second students learn from, in which precision, alone and side by side.

Each cohort learns from one batch that is there already. The ceiling is the rate of a product of large matrices.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache, partial
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.benchmarks.batch import batch
from tests.benchmarks.detectors import build
from tests.benchmarks.gpu_check.budget import Budget, Row
from tests.benchmarks.gpu_check.scale import MODES, Mode, Scale, setting_name
from tests.benchmarks.pairs import Clock, Work, median
from tests.benchmarks.step import METHOD, SCHEDULE, STEPS_PER_EPOCH
from trainers.detectors.detector import placed
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import FrozenTeacher
from trainers.distill.half_precision import network_in
from trainers.loop.accumulate import Chunk
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Detector, Job, Placement, ShapesDataset, Teacher, TrialSpec
from trainers.schema.schedule import Precision

WARM_UP = 2


def names(scale: Scale) -> list[str]:
    """Return the names of the ceilings and of the cohorts."""
    return [*map(_ceiling_name, _precisions()), *(_name(*found) for found in _cohorts(scale))]


def measure(scale: Scale, budget: Budget, record: Callable[[Row], None]) -> None:
    """Record the ceilings, then the cohorts; a cohort grows from one number of students to the next."""
    budget.spend([partial(_ceiling, scale, precision) for precision in _precisions()], record)
    held: dict[str, Cohort] = {}
    cells = list(_cohorts(scale))

    def cell(number: int) -> Row:
        size, mode, students = cells[number]
        key = setting_name(size, mode)
        if key not in held:
            held.clear()  # the cohort before makes room
            held[key] = Cohort(scale, size, mode)
        held[key].grow_to(students)
        return {"name": _name(*cells[number])} | held[key].measured(budget.left() / (len(cells) - number))

    budget.spend([partial(cell, number) for number in range(len(cells))], record)


class Cohort:
    """Hold students that learn from one teacher, on one batch."""

    def __init__(self, scale: Scale, size: tuple[int, int], mode: Mode) -> None:
        self._scale, self._mode = scale, mode
        self._teacher = FrozenTeacher(placed(built(scale.teacher), scale.device, channels_last=mode.channels_last))
        self._teacher.serve(METHOD)
        self._members: list[StudentTrainer] = []
        self.inputs, self.samples = batch(built(scale.student).to(scale.device), scale.images, (size[1], size[0]))
        if mode.channels_last:
            self.inputs = self.inputs.to(memory_format=torch.channels_last)

    def grow_to(self, students: int) -> None:
        """Add students until there are so many."""
        while len(self._members) < students:
            self._members.append(student_in_training(self._teacher, self._scale, self._mode))

    def step(self) -> None:
        """Ask the teacher once, and let each student make a step."""
        head_outputs = self._teacher.forward(self.inputs, self._mode.precision)
        for member in self._members:
            member.train_step([Chunk(self.inputs, self.samples, head_outputs, TargetCache())])

    def measured(self, seconds: float) -> Row:
        """Return what a step takes, measured within about so many seconds."""
        clock, device = Clock(self._scale.device), self._scale.device
        _restart_memory(device)
        self.step()  # new members' first step is probed
        loss, probed = float(self._members[-1]._state.meter.take()["total"]), _most_memory(device)
        _restart_memory(device)
        with FlopCounterMode(display=False) as counter:
            longest = clock.seconds(self.step)
        steps = max(1, min(self._scale.most_steps, int(seconds / longest) - WARM_UP - 2))
        for _ in range(WARM_UP):
            self.step()
        times = [clock.seconds(self.step) for _ in range(steps)]
        images = self._scale.images * len(self._members)
        return {
            "seconds": median(times), "steps": steps, "images_per_s": images / median(times),
            "flops": int(counter.get_total_flops()), "memory": _most_memory(device), "memory_probed": probed,
            "loss": loss,
        }  # fmt: skip


def built(detector: Detector) -> Any:
    """Return the detector on the CPU, with the same random weights at each call."""
    return deepcopy(_built(detector.model_dump_json()))


@cache
def _built(detector: str) -> Any:
    torch.manual_seed(0)
    return build(Detector.model_validate_json(detector))


def student_in_training(teacher: FrozenTeacher, scale: Scale, mode: Mode) -> StudentTrainer:
    """Return one more student of the teacher, in training."""
    trial = TrialSpec(
        dataset=ShapesDataset(kind="shapes"),
        student=scale.student,
        teacher=Teacher(detector=scale.teacher, weights=None),
        method=METHOD,
        schedule=SCHEDULE.model_copy(update={"precision": mode.precision}),
    )
    placement = Placement(cuda=scale.device.type == "cuda", channels_last=mode.channels_last)
    job = Job(trial=trial, trial_id="benchmark", directory=mkdtemp(), placement=placement)
    # no data set, no ImageNet weights
    with patch("trainers.loop.student_trainer.build_student", return_value=built(scale.student)):
        member = StudentTrainer(job, STEPS_PER_EPOCH, scale.device, teacher)
    member.train_mode()
    return member


def _cohorts(scale: Scale) -> Iterator[tuple[tuple[int, int], Mode, int]]:
    for size, mode in scale.settings():
        for students in scale.students:
            yield size, mode, students


def _name(size: tuple[int, int], mode: Mode, students: int) -> str:
    return f"{setting_name(size, mode)}, {students}"


def _precisions() -> list[Precision]:
    return list(dict.fromkeys(mode.precision for mode in MODES))


def _ceiling_name(precision: Precision) -> str:
    return f"ceiling, {precision}"


def _ceiling(scale: Scale, precision: Precision) -> Row:
    """Return the floating-point operations a second that a product of large matrices reaches."""
    one, other = (torch.randn(scale.side, scale.side, device=scale.device) for _ in range(2))
    with _as_convolutions_round(), network_in(precision, scale.device):
        taken = _seconds(lambda: one @ other, Clock(scale.device), scale.most_steps)
    return {"name": _ceiling_name(precision), "flops_per_s": 2 * scale.side**3 / taken}


@contextmanager
def _as_convolutions_round() -> Iterator[None]:
    """Let products of matrices use TF32, as cuDNN's convolutions do by themselves."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _seconds(work: Work, clock: Clock, repeats: int) -> float:
    for _ in range(WARM_UP):
        work()
    return median([clock.seconds(work) for _ in range(repeats)])


def _restart_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _most_memory(device: torch.device) -> int | None:
    """Return the most bytes that torch's allocator held since the restart, nothing for a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
