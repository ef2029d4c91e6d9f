"""Replay drawn studies through the real searches on a virtual clock, and print how often each finds the right point.

``python -m tests.benchmarks.replay`` runs 1,000 studies; ``--write`` puts the table into docs/benchmarks.md.
"""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import fmean

from tests.benchmarks.document import write_replay
from tests.benchmarks.replay.curves import Drawn
from tests.benchmarks.replay.recorded import RECORDED, fitted
from tests.benchmarks.replay.searches import SEARCHES, Outcome, replay

HEADER = "| search | trainings | epochs | time | right | below the best |\n|---|---|---|---|---|---|"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one table for each shape of curves."""
    asked = parse(arguments)
    numbers = range(asked.first, asked.first + asked.studies)
    parts = [numbers[place :: asked.processes] for place in range(asked.processes)]
    tables = []
    for name in RECORDED:
        with ProcessPoolExecutor(asked.processes) as processes:
            found = list(processes.map(partial(outcomes, name, tuple(asked.searches)), parts))
        rows = {search: [one for part in found for one in part[search]] for search in found[0]}
        tables.append("\n".join([f"Curves like those of {name}:", "", HEADER, *(line(*row) for row in rows.items())]))
        print(tables[-1], end="\n\n", flush=True)
    if asked.write:
        write_replay("\n\n".join(tables))
    return 0


def outcomes(shape: str, searches: Sequence[str], numbers: Sequence[int]) -> dict[str, list[Outcome]]:
    """Run some studies under each search."""
    os.fsync = lambda descriptor: None  # type: ignore[assignment]  # nobody is killed here
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, list[Outcome]] = {search: [] for search in searches}
        for drawn in (Drawn(fitted(shape), number) for number in numbers):
            for place, search in enumerate(searches):
                found[search].append(replay(Path(folder) / str(place), SEARCHES[search], drawn))
        return found


def line(search: str, found: Sequence[Outcome]) -> str:
    """Return a row: means over the studies, and in how many the right point won."""
    names = Outcome.__annotations__
    trainings, epochs, clock, right, short = (fmean(getattr(one, name) for one in found) for name in names)
    cost = f"{trainings:.0f} | {100 * epochs:.0f} % | {clock:.0f}"
    return f"| {search} | {cost} | {100 * right:.1f} % | {100 * short:.2f} AP |"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.replay", description=__doc__)
    parser.add_argument("searches", nargs="*", default=list(SEARCHES), metavar="SEARCH", help=", ".join(SEARCHES))
    parser.add_argument("--studies", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=1000, help="number of the first, its seed (default 1000)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
