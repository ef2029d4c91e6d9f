"""Plant known faults one by one, and measure after how many schedules each is found."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.simulation.faults import FAULTS
from tests.simulation.planting import Plant

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
HEADER = "| planted | world | found after | by |\n|---|---|---|---|"
BEGIN, END = "<!-- planted -->", "<!-- /planted -->"
SUMMARY = re.compile(r"^(\d+) schedules .* in (\d+) s", re.MULTILINE)
REASON = re.compile(r"^\w+ \d+: (.*)$", re.MULTILINE)
NAMES = re.compile(r"[0-9a-f]{12}|stillhouse-[0-9a-f]+|host-[0-9a-f]{4}|/dev/shm\S*")
LONGEST = 100


@dataclass(frozen=True)
class Search:
    """Hold how the search for one fault has ended; ``reason`` is "" where it was not found."""

    plant: Plant
    schedules: int
    seconds: int
    reason: str

    @property
    def row(self) -> str:
        """Return a row of the table."""
        after = f"{counted(self.schedules)}, {self.seconds} s" if self.reason else f"not in {counted(self.schedules)}"
        return f"| {self.plant.about} | `{self.plant.world}` | {after} | {self.reason} |"


def counted(schedules: int) -> str:
    """Return a number of schedules in words."""
    return "1 schedule" if schedules == 1 else f"{schedules:,} schedules"


def search_all(names: Sequence[str], seconds: float, processes: int, *, write: bool) -> int:
    """Search for faults, all or those named; return 1 when less than nine tenths of them are found."""
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    with ThreadPoolExecutor(processes) as threads:
        found = []
        for search in threads.map(partial(search_for, seconds=seconds), chosen):
            print(f"{search.plant.name}: {search.row}", flush=True)
            found.append(search)
    well = sum(bool(search.reason) for search in found)
    print(f"{well} of {len(found)} found")
    if write:
        write_rows({search.plant.about: search.row for search in found})
    return 0 if well >= 0.9 * len(found) else 1


def write_rows(rows: Mapping[str, str]) -> None:
    """Put rows into the document's table, by the faults that they are about; those of other faults stay."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    present, _, after = rest.partition(END)
    known = {line.split(" | ")[0].removeprefix("| "): line for line in present.splitlines()} | rows
    table = "\n".join([HEADER, *(known[fault.about] for fault in FAULTS if fault.about in known)])
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def search_for(fault: Plant, seconds: float) -> Search:
    """Run schedules with a fault, in a process of its own, until one fails."""
    command = [sys.executable, "-m", "tests.simulation", "run", fault.world, "--plant", fault.name]
    command += ["--processes", "1", "--seconds", str(seconds)]
    said = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    summary, reason = SUMMARY.search(said.stdout), REASON.search(said.stdout)
    if summary is None:
        raise RuntimeError(f"{fault.name}: {said.stdout}{said.stderr}")
    return Search(fault, int(summary[1]), int(summary[2]), plain(reason[1]) if reason else "")


def plain(reason: str) -> str:
    """Return a reason without names that only its schedule has."""
    text = NAMES.sub("…", reason.removeprefix("Violation: ")).replace("|", "/")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
