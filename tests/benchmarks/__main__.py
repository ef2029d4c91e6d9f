"""Measure how far Stillhouse is from what the hardware allows, and print the table.

``python -m tests.benchmarks`` takes all figures, on the CPU and on a GPU where there is one; figures can be named.
"""

import argparse
import gc
import sys
import warnings
from collections.abc import Iterator, Sequence

import torch

from tests.benchmarks.document import write_table
from tests.benchmarks.figure import HEADER, Figure, Row, Setting
from tests.benchmarks.figures import FIGURES
from tests.benchmarks.machine import describe
from tests.benchmarks.pairs import LEAST_PAIRS


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and return 1 when a bar does not hold."""
    asked = parse(arguments)
    warnings.simplefilter("ignore")
    chosen = [figure for figure in FIGURES if not asked.figures or figure.name in asked.figures]
    lines, holding = [HEADER], True
    print(HEADER, flush=True)
    for device in devices(asked.device):
        setting = Setting(device, asked.pairs, asked.threads, cpu_time=asked.clock == "cpu")
        for row in rows(chosen, setting):
            print(row.markdown(), flush=True)
            lines.append(row.markdown())
            holding = holding and row.holds
    lines += ["", describe(device, asked.threads, asked.clock)]
    print("\n".join(lines[-2:]))
    if asked.write:
        write_table("\n".join(lines))
    return 0 if holding else 1


def rows(figures: Sequence[Figure], setting: Setting) -> Iterator[Row]:
    """Measure figures one after the other."""
    for figure in figures:
        if figure.on_device or not setting.cuda:
            yield figure.row(setting)
            gc.collect()


def devices(asked: str) -> list[torch.device]:
    """Return where figures are taken."""
    names = ["cpu", "cuda"] if asked == "all" and torch.cuda.is_available() else [asked.replace("all", "cpu")]
    return [torch.device(name) for name in names]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(figure.name for figure in FIGURES))
    parser.add_argument("--pairs", type=int, default=9, help="timed pairs of each figure (default 9)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, as a trial has them (default 1)")
    parser.add_argument("--device", choices=("all", "cpu", "cuda"), default="all")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: where other processes are busy")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    asked = parser.parse_args(arguments)
    unknown = set(asked.figures) - {figure.name for figure in FIGURES}
    if unknown:
        parser.error(f"no figure is named {', '.join(sorted(unknown))}")
    if asked.pairs < LEAST_PAIRS:
        parser.error(f"--pairs must be at least {LEAST_PAIRS}: fewer do not bound a median")
    return asked


if __name__ == "__main__":
    sys.exit(main())
