"""Kill the processes of small studies, many times: ``python -m tests.chaos`` runs the full list and prints its log.

Exit code 1 when any run ended with other numbers, lost or repeated a point, or left something behind.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.disturb import Kill, undisturbed
from tests.chaos.flavours import FLAVOURS
from tests.chaos.judge import Judged, disturbed

# (flavour, seed, kills)
FULL = [
    *(("one worker", seed, 7) for seed in (101, 102, 103, 104, 105, 106)),
    *(("server", seed, 5) for seed in (201, 202, 203)),
    *(("group of two", seed, 6) for seed in (301, 302)),
    *(("cohort", seed, 4) for seed in (401, 402)),
    ("prefixes", 501, 7),
    ("prefixes in cohorts", 502, 5),
]
MEMORY = Path("/tmp")  # short, for Ray's sockets


def main() -> int:
    arguments = argparse.ArgumentParser(description="Kill the processes of small studies at random.")
    arguments.add_argument("--flavour", choices=sorted(FLAVOURS), help="only this one")
    arguments.add_argument("--seeds", type=int, nargs="+", help="only these seeds of the list, or others with --kills")
    arguments.add_argument("--kills", type=int, help="how many in each run")
    given = arguments.parse_args()
    began, faults, count = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(prefix="chaos-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        expected: dict[tuple[str, ...], Path] = {}
        for name, seed, kills in chosen(given):
            flavour = FLAVOURS[name]
            place = Path(folder) / str(seed)
            if flavour.sets not in expected:
                expected[flavour.sets] = undisturbed(flavour, Path(folder) / f"calm-{seed}", Path(folder) / f"c{seed}")
            judged = disturbed(flavour, seed, kills, place, Path(folder) / f"t{seed}", expected[flavour.sets])
            tell(name, seed, judged)
            faults, count = faults + len(judged.faults), count + len(judged.story.kills)
    print(f"{count} kills, {faults} faults, {(time.monotonic() - began) / 60:.1f} minutes")
    return 1 if faults else 0


def chosen(given: argparse.Namespace) -> list[tuple[str, int, int]]:
    """Return the runs that the arguments ask for."""
    if given.seeds and given.kills:
        return [(given.flavour or "one worker", seed, given.kills) for seed in given.seeds]
    return [
        (name, seed, given.kills or kills)
        for name, seed, kills in FULL
        if given.flavour in (None, name) and (not given.seeds or seed in given.seeds)
    ]


def tell(flavour: str, seed: int, judged: Judged) -> None:
    """Print a run: a line for each kill, then the verdict."""
    story = judged.story
    print(f"{flavour}, seed {seed}: {len(story.kills)} kills, {story.starts} starts, {story.seconds:.0f} s")
    for kill in story.kills:
        print(f"  {line(kill)}")
    for fault in judged.faults:
        print(f"  FAULT: {fault}")
    sys.stdout.flush()


def line(kill: Kill) -> str:
    """Say one kill in a line."""
    then = "the command went on" if kill.ended_with is None else f"the command ended with {kill.ended_with}, run again"
    after = "-" if kill.went_on_s is None else f"{kill.went_on_s:.1f} s"
    return f"{kill.after_s:6.1f} s  {kill.moment:9}{kill.target:17}{then:42}next state after {after}"


if __name__ == "__main__":
    sys.exit(main())
