"""Say at which size the check is made: the paper's on a GPU, a toy's on a CPU, so that the same code runs anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from tests.benchmarks.detectors import R50, R101
from trainers.schema import Detector
from trainers.schema.schedule import Precision

GFL = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"


@dataclass(frozen=True)
class Mode:
    """Hold how the networks compute: in which precision, and with which order of memory."""

    name: str
    precision: Precision
    channels_last: bool = False


MODES = (Mode("fp32 (TF32)", "fp32"), Mode("bf16", "bf16"), Mode("bf16, channels_last", "bf16", channels_last=True))


@dataclass(frozen=True)
class Scale:
    """Hold sizes. Images are (width, height); ``side`` is that of the matrices whose product is the ceiling."""

    device: torch.device
    teacher: Detector
    student: Detector
    sizes: tuple[tuple[int, int], ...]
    side: int
    most_steps: int
    most_pairs: int
    images: int = 2
    students: tuple[int, ...] = (1, 2, 4, 8)

    def settings(self) -> Iterator[tuple[tuple[int, int], Mode]]:
        """Yield each size in each mode; the paper's size comes first, the fastest mode before the others."""
        for size in self.sizes:
            for mode in reversed(MODES):
                yield size, mode


def scale_of(device: torch.device) -> Scale:
    """Return the size of the check on a device."""
    if device.type == "cuda":
        return Scale(device, R101, R50, ((1344, 800), (640, 640)), side=8192, most_steps=20, most_pairs=25)
    teacher, student = (
        Detector(config=GFL, backbone_depth=18, width=width, weights="random") for width in (0.25, 0.125)
    )
    sizes, students = ((160, 128),), (1, 2)
    return Scale(device, teacher, student, sizes, side=256, most_steps=2, most_pairs=5, students=students)


def setting_name(size: tuple[int, int], mode: Mode) -> str:
    """Return the name of a size in a mode."""
    return f"{size[0]} x {size[1]}, {mode.name}"
