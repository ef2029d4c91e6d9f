"""Forecast the memory of the paper's rows on eight GPUs: ``python -m tests.benchmarks.paper_memory > configs/paper/memory.yaml``."""

import logging
import sys
import tempfile
import warnings
from itertools import chain
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
# teacher, of each further one beside it, and by how much one image more on each GPU raises both.
"""


def main() -> int:
    """Print the file."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print(HEAD, end="")
    paths = sorted((configs_dir() / "paper" / "rows").glob("*.yaml"))
    units = {path.stem: unit(path) for path in paths if not path.stem.startswith("bccd")}
    pairs = {name: (asked, twice(asked)) for name, asked in units.items()}
    found = {asked.key: forecast for asked, forecast in planned_memory(chain(*pairs.values()), None).forecasts}
    for name, (asked, more) in pairs.items():
        print(line(name, asked.images, found[asked.key], found[more.key]), flush=True)
    return 0


def twice(asked: MemoryUnit) -> MemoryUnit:
    """Return the request for twice as many images."""
    return asked.model_copy(update={"images": 2 * asked.images, "key": f"{asked.key}-twice"})


def unit(path: Path) -> MemoryUnit:
    """Return the request for a row's student."""
    loaded = load_study(path, [])
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(loaded, Store(folder), EIGHT)
    return unit_of(plan, plan.students[0])


def line(name: str, images: int, found: MemoryForecast, more: MemoryForecast) -> str:
    """Return a row's line from the forecasts for ``images`` and twice as many."""
    one, further = (found.peak() / GIB, _further(found) / GIB)
    image, further_image = more.peak() / GIB - one, _further(more) / GIB - further
    cells = {
        "images": str(images), "one": f"{one:.2f}", "further": f"{further:.2f}",
        "image": f"{image / images:.3f}", "further_image": f"{further_image / images:.4f}",
    }  # fmt: skip
    return f"{name}: {{{', '.join(f'{key}: {value}' for key, value in cells.items())}}}"


def _further(found: MemoryForecast) -> int:
    return found.student + found.evidence


if __name__ == "__main__":
    sys.exit(main())
