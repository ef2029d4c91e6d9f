"""The benchmarks' clock counts the processor time of commands."""

import subprocess
import sys

import torch

from tests.benchmarks.pairs import Clock

CPU = torch.device("cpu")


def test_processor_time_counts_commands() -> None:
    program = "import time\nwhile time.process_time() < 0.3: pass"
    took = Clock(CPU, cpu=True).seconds(lambda: subprocess.run([sys.executable, "-c", program], check=True))
    assert took >= 0.3
