"""A process that trains on the CPU computes the same again: threads, algorithms and denormal numbers are settled."""

from collections.abc import Iterator

import cv2
import pytest
import torch

from trainers.loop.loop import prepare_process


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    threads, fills = torch.get_num_threads(), torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    of_images = cv2.getNumThreads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
    cv2.setNumThreads(of_images)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_on_the_cpu_computes_the_same_again(threads: int) -> None:
    torch.set_flush_denormal(False)
    assert prepare_process(threads, cuda=False) == torch.device("cpu")
    assert torch.get_num_threads() == threads
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled(), "a step without such an algorithm is none to fail at"
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    smallest = torch.full((64,), 1e-310, dtype=torch.float64) * 0.5
    assert (smallest == 0).all().item() == torch.set_flush_denormal(True), "denormal numbers are 0, where a CPU can"
    assert cv2.getNumThreads() <= 1
