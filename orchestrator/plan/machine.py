"""Detect this machine's resources without importing torch or Ray."""

import os
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from orchestrator.plan.gpu_memory import gpu_memory


@dataclass(frozen=True)
class Machine:
    """Hold the CPUs that this process may use and the NVIDIA devices that the driver shows.

    A whole cluster counts as one machine; ``nodes`` are then the machines that it is made of. Of a cluster that grows they
    are those of its largest size, and ``present`` is what there is of it now. ``gpu_memory`` are the bytes of the smallest GPU,
    ``None`` where nobody tells.
    """

    cpus: int
    gpus: int
    nodes: tuple["Machine", ...] = ()
    present: "Machine | None" = None
    gpu_memory: int | None = None


def this_machine() -> Machine:
    """Return this machine's resources; ``CUDA_VISIBLE_DEVICES`` limits the GPUs as it does for CUDA programs."""
    gpus = visible_gpus(Path("/dev"))
    return Machine(len(os.sched_getaffinity(0)), gpus, gpu_memory=gpu_memory() if gpus else None)


def visible_gpus(devices: Path) -> int:
    """Return how many NVIDIA devices are in the folder ``devices`` and not hidden from CUDA programs."""
    present = len([path for path in devices.glob("nvidia[0-9]*") if path.name[6:].isdigit()])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    listed = takewhile(lambda item: item.strip() not in ("", "-1"), visible.split(","))  # CUDA reads no further
    return min(present, len(list(listed)))
