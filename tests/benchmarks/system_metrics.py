"""Measure what sampling a worker's machine takes from training: ``python -m tests.benchmarks.system_metrics``.

Training stops for a sample only while the thread holds the interpreter, so the processor time of a sample is the most
that it can cost.
"""

import time
from statistics import median

import torch

from orchestrator.study.schema import TrackingSection
from trainers.loop.system_metrics import SystemMetrics

ROUNDS, SAMPLES = 9, 200


def main() -> None:
    """Print the processor time of a sample and of an epoch's means, and the share of the time that sampling takes."""
    system = SystemMetrics(3600.0, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    system.restart()
    sample = median(cost_s(system, SAMPLES) for _ in range(ROUNDS))
    every_s = TrackingSection().system_metrics_every_s
    print(
        f"a sample takes {1e6 * sample:.0f} us of a processor; every {every_s:g} s that is {sample / every_s:.1e} of the time"
    )
    began = time.thread_time()
    system.take(1, 1.0, 0.0)
    print(f"the means of an epoch take {1e6 * (time.thread_time() - began):.0f} us")
    system.close()


def cost_s(system: SystemMetrics, count: int) -> float:
    """Return the seconds of processor time of one of ``count`` samples."""
    began = time.thread_time()
    for _ in range(count):
        system._sample()
    return (time.thread_time() - began) / count


if __name__ == "__main__":
    main()
