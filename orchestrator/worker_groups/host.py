"""Hold one worker group for a sweep: it trains one cohort after the other, and is started once."""

import contextlib
from importlib import import_module
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util import remove_placement_group

from orchestrator.core.processes import end
from orchestrator.worker_groups.broker import ON_HEAD
from orchestrator.worker_groups.entry_points import WORKER
from orchestrator.worker_groups.placement_groups import free_places, has_places
from trainers.schema import Placement


@ray.remote
class Host:
    """Train in this very process, or direct a worker group that does."""

    def __init__(self, config: dict[str, Any], placement: Placement, folder: str) -> None:
        self._config, self._placement, self._folder = config, placement, folder

    def serve(self) -> None:
        """Train cohorts until there are no more."""
        if self._placement.workers == 1:
            import_module(WORKER).train_worker(self._config)
            return
        # imported here: it brings torch, and pandas
        from orchestrator.worker_groups.ray_trainer import make_trainer

        make_trainer(self._config, self._placement, self._folder).fit()


class Started:
    """Hold a host that was started, from outside; ``done`` is ready when it has served, or died."""

    def __init__(self, name: str, broker: Any, placement: Placement, loop: str, folder: str) -> None:
        self.name, self.size = name, placement.workers
        self._broker, self._placement = broker, placement
        config = {"broker": broker, "host": name, "loop": loop}
        own = placement.workers == 1
        gpus = placement.gpus if placement.cuda else 0
        self._actor = Host.options(  # type: ignore[attr-defined]  # the decorator replaces the class
            num_cpus=placement.threads if own else 0,
            num_gpus=gpus if own else 0,
            resources=None if own else ON_HEAD,  # a group's workers bring their own resources
        ).remote(config, placement, folder)
        self._ready = self._actor.__ray_ready__.remote()
        self.done = self._actor.serve.remote()

    def has_room(self) -> bool:
        """Return whether the cluster has given the host its resources."""
        if self._placement.workers > 1:
            return has_places(self.name)
        return bool(ray.wait([self._ready], timeout=0)[0])

    def failure(self) -> BaseException | None:
        """Return the error that ended the host early; the host must be done."""
        try:
            ray.get(self.done)
        except Exception as error:  # noqa: BLE001  whatever it is, its trials must learn of it
            return error
        return None

    def release(self) -> None:
        """End the host and all that it started, and give back its places.

        Nothing is lost: records are on disk before they are sent. Without this Ray frees the placement group of a group
        that was stopped only through its dashboard.
        """
        with contextlib.suppress(RayError):  # a broker that is gone remembers nothing: places are known by name too
            held = ray.get(self._broker.forget.remote(self.name))
            if "placement_group" in held and held["placement_group"] is not None:
                remove_placement_group(held["placement_group"])
            if "controller" in held:
                controller, identity = held["controller"]
                ray.kill(controller)
                end(identity)  # Ray does not hurry one that has done its work; Ray Train keeps it on this machine
        ray.kill(self._actor)
        if self._placement.workers > 1:
            free_places(self.name)
