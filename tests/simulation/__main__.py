"""Run schedules of deaths, standstills, lost messages and full disks on a virtual clock, each by a number.

``python -m tests.simulation run`` explores, ``replay WORLD NUMBER`` tells one schedule step by step, ``planted`` plants known faults
and says after how many schedules each is found.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

HASHES = "PYTHONHASHSEED"  # the order of sets is part of a schedule


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for; return 1 when a schedule fails, or a planted fault is not found."""
    asked = parse(arguments)
    done: int = asked.action(asked)
    return done


def run(asked: argparse.Namespace) -> int:
    """Explore, and print what was found."""
    plant_first(asked.plant)
    from tests.simulation.explore import WORLDS, Explored, explore

    names = asked.worlds or list(WORLDS)
    numbers = range(asked.first, asked.first + asked.schedules)
    parts = [numbers[place :: asked.processes] for place in range(asked.processes)]
    work = partial(explore, names, seconds=asked.seconds, most_failures=asked.failures)
    if asked.processes == 1:
        found = work(numbers)
    else:
        with ProcessPoolExecutor(asked.processes) as processes:
            found = sum(processes.map(work, parts), Explored())
    for failure in found.failures:
        print(failure, flush=True)
    rate = 3600 * found.schedules / found.seconds if found.seconds else 0.0
    print(
        f"{found.schedules} schedules ({', '.join(names)}) in {found.seconds:.0f} s, {rate:,.0f} an hour; "
        f"{found.operations:,} operations ({found.digest:08x}), {found.virtual_s / 3600:.1f} virtual hours; {len(found.failures)} failed"
    )
    return 1 if found.failures else 0


def plant_first(name: str | None) -> None:
    """Plant a fault before anything of the product is loaded."""
    if name:
        from tests.simulation.faults import FAULTS
        from tests.simulation.planting import plant

        plant(next(fault for fault in FAULTS if fault.name == name))


def replay(asked: argparse.Namespace) -> int:
    """Tell one schedule."""
    plant_first(asked.plant)
    from tests.simulation.explore import attempt, folder, prepare

    prepare([asked.world])
    with folder() as root:
        found = attempt(asked.world, asked.number, root, teller=print)
    ended = "failed" if found.failures else "well"
    print(f"{found.operations} operations ({found.digest:08x}), {found.virtual_s:.0f} virtual seconds; {ended}")
    return 1 if found.failures else 0


def planted(asked: argparse.Namespace) -> int:
    """Plant faults one by one, and print the table."""
    from tests.simulation.planted import search_all

    return search_all(asked.faults, asked.seconds, asked.processes, write=asked.write)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    actions = parser.add_subparsers(required=True)
    running = actions.add_parser("run", help="explore schedules")
    running.add_argument("worlds", nargs="*", metavar="WORLD")
    running.add_argument("--first", type=int, default=0, help="number of the first schedule (default 0)")
    running.add_argument("--schedules", type=int, default=1_000_000, help="how many in each world")
    running.add_argument(
        "--seconds", type=float, default=3600.0, help="after which no further one begins (default 3600)"
    )
    running.add_argument("--failures", type=int, default=1, help="after which it ends (default 1)")
    running.add_argument("--processes", type=int, default=2)
    running.add_argument("--plant", help="a fault to plant first")
    running.set_defaults(action=run)
    telling = actions.add_parser("replay", help="tell one schedule")
    telling.add_argument("world")
    telling.add_argument("number", type=int)
    telling.add_argument("--plant", help="a fault to plant first")
    telling.set_defaults(action=replay)
    planting = actions.add_parser("planted", help="plant known faults and look for them")
    planting.add_argument("faults", nargs="*", metavar="FAULT")
    planting.add_argument("--seconds", type=float, default=600.0, help="for each fault (default 600)")
    planting.add_argument("--processes", type=int, default=2)
    planting.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    planting.set_defaults(action=planted)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    if os.environ.get(HASHES) != "0":
        os.environ[HASHES] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main())
