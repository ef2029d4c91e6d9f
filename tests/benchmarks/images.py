"""Say how many images a second students learn from, in which precision, alone and side by side.

``python -m tests.benchmarks.images`` trains GFL R101 -> R50 on one batch and prints a table: images a second of all students
together, memory, and the share of what plain matrix products reach on the same device.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.benchmarks.batch import batch
from tests.benchmarks.detectors import R50, R101, build
from tests.benchmarks.machine import describe
from tests.benchmarks.pairs import Clock, Work, median
from tests.benchmarks.step import METHOD, SCHEDULE, STEPS_PER_EPOCH
from trainers.detectors.detector import placed
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import FrozenTeacher
from trainers.distill.half_precision import network_in
from trainers.loop.accumulate import Chunk
from trainers.loop.loop import prepare_process
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Job, Placement, ShapesDataset, Teacher, TrialSpec
from trainers.schema.schedule import Precision

HEADER = (
    "| precision | students | images/s, together | images/s, each | memory (GiB) | TFLOP/s | of the ceiling | loss |\n"
    "|---|---|---|---|---|---|---|---|"
)
SQUARE = 8192  # rows of the matrices whose product is the ceiling; on a CPU a quarter


@dataclass(frozen=True)
class Asked:
    """Hold what is measured: precisions, numbers of students, images of a batch and their (height, width)."""

    device: torch.device
    images: int
    size: tuple[int, int]
    steps: int
    precisions: tuple[Precision, ...]
    cohorts: tuple[int, ...]

    @property
    def clock(self) -> Clock:
        """Return what times are taken by."""
        return Clock(self.device)


class Cohort:
    """Hold students that learn from one teacher, on one batch that is there already."""

    def __init__(self, asked: Asked, students: int, precision: Precision) -> None:
        self._precision, self._asked = precision, asked
        on_gpu = asked.device.type == "cuda"
        torch.manual_seed(0)
        self._teacher = FrozenTeacher(placed(build(R101), asked.device, channels_last=on_gpu))
        self._teacher.serve(METHOD)
        self._members = [student(self._teacher, asked, precision) for _ in range(students)]
        self._inputs, self._samples = batch(build(R50).to(asked.device), asked.images, asked.size)

    def step(self) -> None:
        """Ask the teacher once, and let each student make a step."""
        head_outputs = self._teacher.forward(self._inputs, self._precision)
        for member in self._members:
            member.train_step([Chunk(self._inputs, self._samples, head_outputs, TargetCache())])

    def loss(self) -> float:
        """Return the first student's mean loss so far."""
        return float(self._members[0]._state.meter.take()["total"])


def student(teacher: FrozenTeacher, asked: Asked, precision: Precision) -> StudentTrainer:
    """Return a student in training, whose weights are the same for every precision."""
    trial = TrialSpec(
        dataset=ShapesDataset(kind="shapes"),
        student=R50,
        teacher=Teacher(detector=R101, weights=None),
        method=METHOD,
        schedule=SCHEDULE.model_copy(update={"precision": precision}),
    )
    on_gpu = asked.device.type == "cuda"
    placement = Placement(cuda=on_gpu, channels_last=on_gpu)
    job = Job(trial=trial, trial_id="benchmark", directory=mkdtemp(), placement=placement)
    torch.manual_seed(1)
    with patch(
        "trainers.loop.student_trainer.build_student", return_value=build(R50)
    ):  # no data set, no ImageNet weights
        member = StudentTrainer(job, STEPS_PER_EPOCH, asked.device, teacher)
    member.train_mode()
    return member


def flops_of(work: Work) -> int:
    """Return the floating-point operations of convolutions and matrix products in ``work``."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def seconds_of(work: Work, asked: Asked) -> float:
    """Return the median time of a step, after three that warm up."""
    for _ in range(3):
        work()
    return median([asked.clock.seconds(work) for _ in range(asked.steps)])


def ceiling(asked: Asked, precision: Precision) -> float:
    """Return the floating-point operations a second that a product of large matrices reaches."""
    side = SQUARE if asked.device.type == "cuda" else SQUARE // 8
    one, other = (torch.randn(side, side, device=asked.device) for _ in range(2))
    with network_in(precision, asked.device):
        return 2 * side**3 / seconds_of(lambda: one @ other, asked)


def memory_gib(device: torch.device) -> str:
    """Return the most memory that was in use on the GPU since it was last asked, nothing for a CPU."""
    if device.type != "cuda":
        return "-"
    most = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.reset_peak_memory_stats(device)
    return f"{most:.1f}"


def rows(asked: Asked) -> Iterator[str]:
    """Measure and yield the rows of the table."""
    for precision in asked.precisions:
        most = ceiling(asked, precision)
        for students in asked.cohorts:
            memory_gib(asked.device)
            cohort = Cohort(asked, students, precision)
            cohort.step()  # the first is probed too, and takes longer
            loss, flops = cohort.loss(), flops_of(cohort.step)
            seconds = seconds_of(cohort.step, asked)
            together, rate = students * asked.images / seconds, flops / seconds
            cells = (precision, students, f"{together:.2f}", f"{together / students:.2f}", memory_gib(asked.device))
            yield _row(*cells, f"{rate / 1e12:.2f}", f"{rate / most:.0%}", f"{loss:.4f}")


def _row(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def parse(arguments: Sequence[str] | None) -> Asked:
    """Read the command line."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.images", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default=device)
    parser.add_argument("--images", type=int, default=2, help="images of a batch (default 2)")
    parser.add_argument("--size", default="1344x800", help="width x height (default 1344x800)")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each row (default 20)")
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16", "fp16"), default=["fp32", "bf16"])
    parser.add_argument("--students", nargs="+", type=int, default=[1, 2, 4, 8])
    found = parser.parse_args(arguments)
    width, height = map(int, found.size.split("x"))
    precisions, students = tuple(found.precisions), tuple(found.students)
    return Asked(torch.device(found.device), found.images, (height, width), found.steps, precisions, students)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    asked = parse(arguments)
    warnings.simplefilter("ignore")
    prepare_process(1, asked.device.type == "cuda")
    print(HEADER, flush=True)
    began = time.monotonic()
    for row in rows(asked):
        print(row, flush=True)
    height, width = asked.size
    print(
        f"\n{asked.images} images of {width} x {height}, {asked.steps} steps a row, {time.monotonic() - began:.0f} s in all."
    )
    print(describe(asked.device, 1, "wall"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
