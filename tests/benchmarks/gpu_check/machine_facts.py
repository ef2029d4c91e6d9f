"""Collect what a reader must know of the machine, for the JSON file."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from tests.benchmarks.machine import PACKAGES, processor


def facts(device: torch.device) -> dict[str, Any]:
    """Return date, device, processor and versions."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "device": device.type,
        "gpu": _gpu(device),
        "processor": processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _gpu(device: torch.device) -> dict[str, Any] | None:
    if device.type != "cuda":
        return None
    properties = torch.cuda.get_device_properties(device)
    cuda, cudnn = torch.version.cuda, torch.backends.cudnn.version()
    return {"name": properties.name, "memory": properties.total_memory, "cuda": cuda, "cudnn": cudnn}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
