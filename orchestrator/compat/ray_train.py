"""Reach parts of Ray Train that Ray keeps private (written against 2.60.0): its controller and its default callbacks."""

from functools import partial
from typing import Any

from ray.train.v2._internal.execution.callback import ControllerCallback
from ray.train.v2._internal.execution.worker_group import worker_group
from ray.train.v2.torch.torch_trainer import TorchTrainer
from ray.util.placement_group import placement_group

__all__ = ["ControllerCallback", "UnguardedTrainer", "name_next_placement_groups"]
GUARD = "PlacementGroupCleanerCallback"


def name_next_placement_groups(name: str) -> None:
    """Let the placement groups that Ray Train makes in this process have a name: Ray gives them none."""
    worker_group.placement_group = partial(placement_group, name=name)  # type: ignore[attr-defined]


class UnguardedTrainer(TorchTrainer):
    """Train without Ray's guard over placement groups.

    The guard is one more process for each group, it outlives the group, it asks the dashboard's state service, and
    where there is none it waits for ever. The process that started the host removes the group instead.
    """

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [callback for callback in callbacks if type(callback).__name__ != GUARD]
