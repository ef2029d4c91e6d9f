"""Checking a study takes no longer than looking at it."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainers.schema.zoo import configs_dir

ROOT = Path(__file__).parents[2]
GENEROUS_S = 5.0  # for machines that are busy with other things; a quiet one needs a tenth


FREEZE = """
import gc
from orchestrator.cli import main
main({arguments})
print(gc.get_freeze_count() > 10_000, gc.isenabled())
"""


def test_check_answers_at_once(record_property):
    command = [sys.executable, "-m", "orchestrator.cli", "check", str(configs_dir() / "studies" / "quickstart.yaml")]
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        took.append(time.perf_counter() - began)
    print(f"stillhouse check: median of 5 fresh processes {statistics.median(took):.2f} s, {min(took):.2f} at best")
    record_property("check_median_s", statistics.median(took))
    assert statistics.median(took) < GENEROUS_S


@pytest.mark.parametrize(("arguments", "frozen"), [("", True), ("['check', sys.argv[2]]", False)])
def test_the_collector_leaves_imports_alone_in_a_process_of_the_commands_own(arguments, frozen):
    study = str(configs_dir() / "studies" / "quickstart.yaml")
    program = f"import sys{FREEZE.format(arguments=arguments)}"
    command = [sys.executable, "-c", program, "check", study]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{frozen} True"
