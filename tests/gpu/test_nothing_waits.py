"""Prove that the host never waits for the GPU in what distillation adds to a step, and that half precision agrees.

mmdet's own losses and target assignment do wait (they read numbers of positives), so they run outside of the guard.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from tests.unit.trainers.distilling import METHODS, Scene

CUDA = torch.device("cuda")


@contextmanager
def nothing_waits() -> Iterator[None]:
    """Raise where the host waits for the GPU."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["kind"])
def test_teacher_and_terms_wait_for_nothing(method: dict[str, Any]) -> None:
    scene = Scene(method, CUDA)
    scene.losses()  # assigns the targets; what follows from shapes is known from here on
    scene.distil()
    with nothing_waits():
        scene.distil()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["kind"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_in_half_precision_agree(method: dict[str, Any], dtype: torch.dtype) -> None:
    scene = Scene(method, CUDA)
    expected = {name: value.item() for name, value in scene.losses().items()}
    with torch.autocast(CUDA.type, dtype=dtype):
        found = {name: value.item() for name, value in scene.losses().items()}
    assert found == pytest.approx(expected, rel=0.05)
