"""Say on which machine and with which versions a table was measured."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("torch", "mmdet", "mmengine", "numpy", "faster-coco-eval", "pycocotools")


def describe(device: torch.device, threads: int, clock: str) -> str:
    """Return a sentence for the table's foot."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {processor()}, {len(os.sched_getaffinity(0))} CPUs, "
        f"{threads} {'thread' if threads == 1 else 'threads'}, "
        f"{'CPU time' if clock == 'cpu' else 'wall time'}, load average {os.getloadavg()[0]:.1f} at the end"
        f"{accelerator(device)}; Python {platform.python_version()}, {packages}."
    )


def accelerator(device: torch.device) -> str:
    """Return the GPU's name, nothing for a CPU."""
    return f"; {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""


def processor() -> str:
    """Return the processor's name as the kernel has it."""
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    return next((row.partition(": ")[2] for row in rows if row.startswith("model name")), platform.machine())
