"""Workers on several machines record one mean, the same on all of them."""

from pathlib import Path

import pytest
import torch

from tests.processes.gloo import GlooPair
from trainers.loop import machine_use
from trainers.loop.machine_use import CpuTimes, Memory
from trainers.loop.system_metrics import SystemMetrics
from trainers.schema.system_metrics import CPU_USE, IMAGES_PER_S, LOADING_SHARE, MEMORY, MEMORY_SHARE


def test_workers_of_two_machines_record_the_mean_of_both(gloo_pair: GlooPair, tmp_path: Path) -> None:
    first, second = gloo_pair.run(work, tmp_path, "")
    use = {CPU_USE: 30.0, MEMORY: 1500.0, MEMORY_SHARE: 37.5}
    for rank, found in enumerate((first, second)):
        rates = {IMAGES_PER_S: 6.0, LOADING_SHARE: 10.0 * (1 + rank)}  # each by its own clock; rank 0's are recorded
        assert found == pytest.approx(use | rates)


def work(rank: int, text: str) -> dict[str, float]:
    """Be one worker, on a machine of its own that is busier the higher the rank."""
    times = iter([CpuTimes(0, 0), CpuTimes(20 * (1 + rank), 100)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_use, "machine_name", lambda: f"machine {rank}")
        patch.setattr(machine_use, "memory", lambda: Memory((1 + rank) * 1e9, 4e9))
        patch.setattr(machine_use, "cpu_times", lambda: next(times))
        system = SystemMetrics(3600.0, torch.device("cpu"))
        system.restart()
        found = system.take(60, 10.0 - (1 + rank), 1.0 + rank)
        system.close()
    return found
