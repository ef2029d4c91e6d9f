"""Make the Ray Train trainer of one host: its failures and its resources are handled here, not by Ray."""

import os
from typing import Any

import ray
from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig

from orchestrator.compat.ray_process_group import OwnAddressConfig
from orchestrator.compat.ray_train import ControllerCallback, UnguardedTrainer, name_next_placement_groups
from orchestrator.core.processes import this_process
from orchestrator.worker_groups.elastic import per_worker
from orchestrator.worker_groups.entry_points import WORKER
from orchestrator.worker_groups.placement_groups import new_name
from trainers.schema import Placement

START_TIMEOUT = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"  # Ray Train reads it where the trainer is made
NEVER_S = 30 * 86_400  # the trials themselves know how long they wait, and what an autoscaler is starting for them


class NoteController(ControllerCallback):
    """Tell the broker which actor directs the workers, so that it can be ended with them, and name their places."""

    def __init__(self, broker: Any, host: str) -> None:
        self._broker, self._host = broker, host

    def after_controller_start(self, train_run_context: Any) -> None:
        """Send the handle of the actor that this runs in; the placement group that it makes next gets a name."""
        name_next_placement_groups(new_name(self._host))
        controller = (ray.get_runtime_context().current_actor, this_process().identity)
        self._broker.note.remote(self._host, "controller", controller)


def make_trainer(config: dict[str, Any], placement: Placement, folder: str) -> Any:
    """Return the trainer of a worker group that serves as a host; ``config`` is each worker's configuration.

    Ray restarts nothing by itself: whether a failure is worth another attempt is decided by its kind. ``folder`` is for
    Ray Train's own files.
    """
    os.environ[START_TIMEOUT] = str(NEVER_S)
    return UnguardedTrainer(
        call_worker,
        train_loop_config=config,
        scaling_config=ScalingConfig(
            num_workers=placement.workers, use_gpu=placement.cuda, resources_per_worker=per_worker(placement)
        ),
        run_config=RunConfig(
            name=config["host"],
            storage_path=folder,
            callbacks=[NoteController(config["broker"], config["host"])],  # type: ignore[list-item]  # Ray takes its own kind of callback too
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
        ),
        torch_config=OwnAddressConfig(backend="nccl" if placement.cuda else "gloo"),
    )


def call_worker(config: dict[str, Any]) -> None:
    """Import the worker where it runs, so that this module needs no torch of its own."""
    from importlib import import_module

    import_module(WORKER).train_worker(config)
