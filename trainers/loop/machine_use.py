"""Read how much of its machine is in use, from Linux and torch: no package is needed for it."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from trainers.schema.system_metrics import GPU_MEMORY, GPU_MEMORY_SHARE, GPU_USE

CPU, MEMORY_FILE = Path("/proc/stat"), Path("/proc/meminfo")
COUNTED = 8  # of a processor's times: user to stolen; guests are contained in user
IDLE = (3, 4)  # idle, and waiting for disks
MEGABYTE = 1e6  # as MLflow counts


class CpuTimes(NamedTuple):
    """Hold the clock ticks that all processors of a machine were busy, and that have passed, since it started."""

    busy: int
    passed: int


@dataclass(frozen=True)
class Memory:
    """Hold the bytes of main memory that are in use, and that there are."""

    used: float
    total: float


def cpu_times() -> CpuTimes:
    """Return the times of all processors together."""
    first = CPU.read_text().partition("\n")[0]
    ticks = [int(word) for word in first.split()[1 : COUNTED + 1]]
    return CpuTimes(sum(ticks) - sum(ticks[place] for place in IDLE), sum(ticks))


def memory() -> Memory:
    """Return the main memory; caches that the system frees for others do not count as used."""
    sizes = dict(line.split(":", 1) for line in MEMORY_FILE.read_text().splitlines())
    total, free = (1024.0 * int(sizes[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
    return Memory(total - free, total)


def gpu(device: torch.device) -> dict[str, float]:
    """Return a GPU's memory and use by the names of ``trainers.schema.system_metrics``; nothing for a CPU.

    The use is left out where torch cannot tell it: it asks a package of NVIDIA's that is not among the requirements.
    """
    if device.type != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info(device)
    found = {GPU_MEMORY: (total - free) / MEGABYTE, GPU_MEMORY_SHARE: 100.0 * (total - free) / total}
    return found | _gpu_use(device)


def _gpu_use(device: torch.device) -> dict[str, float]:
    try:
        return {GPU_USE: float(torch.cuda.utilization(device))}
    except (ImportError, OSError, RuntimeError):  # the package is not there, or says so of the GPU
        return {}


def machine_name() -> str:
    """Return the name of this machine among those of a trial."""
    return socket.gethostname()


def gpu_name(device: torch.device) -> str:
    """Return the id of a GPU among those of its machine, "" for a CPU."""
    return str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else ""
