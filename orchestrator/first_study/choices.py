"""Choose detectors, image size, batch and schedule for a dataset and a machine, with the reason for each."""

import math
from dataclasses import dataclass

from orchestrator.first_study.contents import Contents
from orchestrator.plan.machine import Machine

CPU_SIDE, GPU_SIDE = 320, 1333  # pixels, the longest side of an image
SMALLEST_SIDE = 96
CPU_STEPS, GPU_STEPS = 450, 8000  # of a student; a teacher takes half as many more
FEWEST_EPOCHS, MOST_EPOCHS = 6, 60
MORE_FOR_TEACHER = 1.5
BATCH_OF_GPU, BATCH_OF_CPU = 8, 4


@dataclass(frozen=True)
class Chosen:
    """Hold a value and why it was chosen."""

    value: object
    reason: str


@dataclass(frozen=True)
class Choices:
    """Hold the settings of a first study beside its data. ``on_gpu`` decides between two sizes of everything."""

    on_gpu: bool
    image_size: Chosen
    batch: Chosen
    epochs: Chosen
    teacher_epochs: Chosen


def choose(contents: Contents, machine: Machine) -> Choices:
    """Return settings that train in minutes on CPUs, and like mmdet's own schedules on GPUs."""
    on_gpu = machine.gpus > 0
    batch = BATCH_OF_GPU if on_gpu else BATCH_OF_CPU
    images = contents.learned if "val" in contents.images else round(contents.learned * 0.8)
    steps, wanted = max(1, math.ceil(images / batch)), GPU_STEPS if on_gpu else CPU_STEPS
    epochs = _between(FEWEST_EPOCHS, round(wanted / steps), MOST_EPOCHS)
    return Choices(
        on_gpu,
        image_size(contents, on_gpu=on_gpu),
        Chosen(batch, "images a step, of all workers together"),
        Chosen(epochs, f"{epochs} x {steps} steps"),
        Chosen(round(epochs * MORE_FOR_TEACHER), "a teacher has to be better than its student"),
    )


def image_size(contents: Contents, *, on_gpu: bool) -> Chosen:
    """Return (width, height): the images' own shape, at most as large as the machine can train."""
    width, height = contents.image
    longest = GPU_SIDE if on_gpu else CPU_SIDE
    scale = min(1.0, longest / max(width, height, 1))
    size = [max(SMALLEST_SIDE, round(side * scale)) for side in (width, height)]
    box = contents.box * min(size[0] / max(width, 1), size[1] / max(height, 1))
    reason = f"half of the images have {width} x {height} pixels or less; an object then has some {box:.0f} x {box:.0f}"
    return Chosen(size, reason)


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
