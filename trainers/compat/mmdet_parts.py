"""Reach parts of mmdet and mmengine that they keep private (written against mmdet 3.3.0, mmengine 0.10.7)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch.distributed as dist
from mmdet.utils import dist_utils
from torch import Tensor


@contextmanager
def reduce_mean_by(handle: Callable[[Tensor], Any]) -> Iterator[None]:
    """Let ``handle`` see, and change in place, the arguments of mmdet's ``reduce_mean`` inside the block.

    Heads import that function by name, but it finds ``torch.distributed`` in its own module.
    """
    real = dist_utils.dist
    dist_utils.dist = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: True,
        get_world_size=lambda: 1,
        all_reduce=lambda tensor, op: handle(tensor),
        ReduceOp=dist.ReduceOp,
    )
    try:
        yield
    finally:
        dist_utils.dist = real


@contextmanager
def yolox_assignments(head: Any) -> Iterator[list[Any]]:
    """Collect the results of ``YOLOXHead``'s assignment for each image inside the block."""
    assign, found = head._get_targets_single, []

    def keep(*args: Any, **kwargs: Any) -> Any:
        found.append(assign(*args, **kwargs))
        return found[-1]

    head._get_targets_single = keep  # an instance attribute, shadowing the method
    try:
        yield found
    finally:
        del head._get_targets_single


def copy_without_waiting(detector: Any, wanted: bool) -> None:
    """Let a detector take its images from pinned memory without waiting for the steps that are still under way.

    mmdet's configs have a setting for this, but it would stand in exported configs.
    """
    detector.data_preprocessor._non_blocking = wanted
