"""Measure one part of the check, in a process of its own: ``python -m tests.benchmarks.gpu_check.measure_part NAME DEVICE ENDS FILE``.

One JSON line is appended to FILE for each row, after a first one with the names of all rows. So what was measured stays when
the process is ended at the end of its share, and a fault of the GPU ends one part only.
"""

import json
import logging
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.gpu_check.budget import Budget
from tests.benchmarks.gpu_check.parts import PARTS
from tests.benchmarks.gpu_check.scale import scale_of
from trainers.loop.loop import prepare_process


def main(name: str, device: str, ends: float, file: Path) -> None:
    """Append the part's rows to the file as they are measured."""
    tempfile.tempdir = str(file.parent)  # goes with it
    [part] = [part for part in PARTS if part.name == name]
    module = import_module(f"{__package__}.{part.module}")
    scale = scale_of(torch.device(device))
    prepare_process(1, device == "cuda")
    _append(file, module.names(scale))
    module.measure(scale, Budget(ends), lambda row: _append(file, row))


def _append(file: Path, entry: Any) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
