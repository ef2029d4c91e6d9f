"""Forecast the memory of the paper's rows on eight GPUs: ``python -m tests.benchmarks.paper_memory > configs/paper/memory.yaml``."""

import logging
import sys
import tempfile
import warnings
from pathlib import Path

from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.plan.memory import planned_memory, unit_of
from orchestrator.plan.plan import make_plan
from orchestrator.study.load import load_study
from trainers.schema.memory import GIB, MemoryForecast, MemoryUnit
from trainers.schema.zoo import configs_dir

EIGHT = Machine(cpus=64, gpus=8)
HEAD = """\
# Forecast memory of each row's student on eight GPUs, in GiB (python -m tests.benchmarks.paper_memory): of one student with its
# teacher, and of each further one beside it.
"""


def main() -> int:
    """Print the file."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print(HEAD, end="")
    paths = sorted((configs_dir() / "paper" / "rows").glob("*.yaml"))
    units = {path.stem: unit(path) for path in paths if not path.stem.startswith("bccd")}
    found = {asked.key: forecast for asked, forecast in planned_memory(units.values(), None).forecasts}
    for name, asked in units.items():
        print(line(name, asked, found[asked.key]), flush=True)
    return 0


def unit(path: Path) -> MemoryUnit:
    """Return the request for a row's student."""
    loaded = load_study(path, [])
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(loaded, Store(folder), EIGHT)
    return unit_of(plan, plan.students[0])


def line(name: str, asked: MemoryUnit, found: MemoryForecast) -> str:
    """Return a row's line."""
    further = (found.student + found.evidence) / GIB
    return f"{name}: {{images: {asked.images}, one: {found.peak() / GIB:.2f}, further: {further:.2f}}}"


if __name__ == "__main__":
    sys.exit(main())
