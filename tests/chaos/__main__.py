"""Kill and pause the processes of small studies, many times: ``python -m tests.chaos`` runs the full list and prints its log.

Exit code 1 when any run ended with other numbers, lost or repeated a point, or left something behind.
"""

import argparse
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from tests.chaos.disturb import Kill, Story, undisturbed
from tests.chaos.flavours import FLAVOURS
from tests.chaos.judge import Judged, disturbed


@dataclass(frozen=True)
class Run:
    """Hold one run of the list: its processes are killed so often, or paused for ``pause_s``."""

    flavour: str
    seed: int
    kills: int
    pause_s: float | None = None


FULL = [
    *(Run("one worker", seed, 7) for seed in (101, 102, 103, 104, 105, 106)),
    *(Run("server", seed, 5) for seed in (201, 202, 203)),
    *(Run("group of two", seed, 6) for seed in (301, 302)),
    *(Run("cohort", seed, 4) for seed in (401, 402)),
    Run("prefixes", 501, 7),
    Run("prefixes in cohorts", 502, 5),
    Run("race", 503, 7),
    Run("race in cohorts", 504, 5),
    *(Run("long", seed, 4, pause_s) for seed, pause_s in ((601, 5.0), (602, 60.0))),
    *(Run("long group of two", seed, 4, pause_s) for seed, pause_s in ((603, 5.0), (604, 60.0))),
    *(Run("long server", seed, 1, pause_s) for seed, pause_s in ((605, 5.0), (606, 60.0))),
]
MEMORY = Path("/tmp")  # short, for Ray's sockets


def main() -> int:
    arguments = argparse.ArgumentParser(description="Kill the processes of small studies at random.")
    arguments.add_argument("--flavour", choices=sorted(FLAVOURS), help="only this one")
    arguments.add_argument("--seeds", type=int, nargs="+", help="only these seeds of the list, or others with --kills")
    arguments.add_argument("--kills", type=int, help="how many in each run")
    arguments.add_argument(
        "--pause", type=float, metavar="SECONDS", help="with --seeds: pause for so long, and do not kill"
    )
    given = arguments.parse_args()
    began, faults, count = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(prefix="chaos-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        expected: dict[tuple[str, ...], Path] = {}
        for run in chosen(given):
            judged = judge(run, Path(folder), expected)
            tell(run, judged)
            faults, count = faults + len(judged.faults), count + len(judged.story.kills)
    print(f"{count} kills and pauses, {faults} faults, {(time.monotonic() - began) / 60:.1f} minutes")
    return 1 if faults else 0


def judge(run: Run, folder: Path, expected: dict[tuple[str, ...], Path]) -> Judged:
    """Carry out one run of the list; whatever goes wrong in it is a fault, and the list goes on.

    ``expected`` holds the stores of the undisturbed studies so far, by their settings.
    """
    flavour, seed = FLAVOURS[run.flavour], run.seed
    try:
        if flavour.sets not in expected:
            expected[flavour.sets] = undisturbed(flavour, folder / f"calm-{seed}", folder / f"c{seed}")
        calm = expected[flavour.sets]
        return disturbed(flavour, seed, run.kills, folder / str(seed), folder / f"t{seed}", calm, run.pause_s)
    except Exception:  # noqa: BLE001  the other runs of the list say something nevertheless
        return Judged(Story(), [traceback.format_exc()])


def chosen(given: argparse.Namespace) -> list[Run]:
    """Return the runs that the arguments ask for."""
    if given.seeds and given.kills:
        return [Run(given.flavour or "one worker", seed, given.kills, given.pause) for seed in given.seeds]
    return [
        replace(run, kills=given.kills or run.kills)
        for run in FULL
        if given.flavour in (None, run.flavour) and (not given.seeds or run.seed in given.seeds)
    ]


def tell(run: Run, judged: Judged) -> None:
    """Print a run: a line for each kill, then the verdict."""
    story = judged.story
    what = "kills" if run.pause_s is None else f"pauses of {run.pause_s:g} s"
    print(f"{run.flavour}, seed {run.seed}: {len(story.kills)} {what}, {story.starts} starts, {story.seconds:.0f} s")
    for kill in story.kills:
        print(f"  {line(kill)}")
    for fault in judged.faults:
        print(f"  FAULT: {fault}")
    sys.stdout.flush()
    if judged.story.stacks:
        print(f"{run.flavour}, seed {run.seed}: stacks\n{judged.story.stacks}", file=sys.stderr, flush=True)


def line(kill: Kill) -> str:
    """Say one kill in a line."""
    then = "the command went on" if kill.ended_with is None else f"the command ended with {kill.ended_with}, run again"
    after = "-" if kill.went_on_s is None else f"{kill.went_on_s:.1f} s"
    return f"{kill.after_s:6.1f} s  {kill.moment:9}{kill.target:17}{then:42}next state after {after}"


if __name__ == "__main__":
    sys.exit(main())
