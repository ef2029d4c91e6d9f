"""A slice of the simulated schedules: nothing breaks, and a number is the same schedule every time."""

import os
import re
import subprocess
import sys

from tests.simulation.explore import WORLDS


def simulated(*arguments: str) -> tuple[int, str]:
    """Run the simulation in a process of its own: it exchanges parts of modules, and sets have an order there."""
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return done.returncode, done.stdout + done.stderr


def test_no_schedule_of_a_slice_breaks_a_promise() -> None:
    code, said = simulated("run", "--schedules", "40", "--processes", "1")
    assert code == 0, said
    assert said.startswith(f"{40 * len(WORLDS)} schedules"), said


def test_a_number_is_one_schedule() -> None:
    """Two processes do the same operations at the same times, in every world."""
    first, second = (simulated("run", "--first", "7", "--schedules", "3", "--processes", "1")[1] for _ in range(2))
    done = re.search(r"[1-9][\d,]* operations \([0-9a-f]{8}\), [\d.]+ virtual hours", first)
    assert done is not None, first
    assert done[0] in second
