"""Choose how many workers an elastic group begins with, and reserve room for those that it lacks."""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping

from ray.util import placement_group, placement_group_table, remove_placement_group

from orchestrator.compat.ray_room import free_on_nodes
from orchestrator.worker_groups.placement_groups import PREFIX
from trainers.schema import Placement

SETTLE_S = 3.0  # until Ray's numbers show what a group that has begun or ended takes or gives back
NodeRoom = Mapping[str, float]


def per_worker(placement: Placement) -> dict[str, float]:
    """Return the resources of one worker."""
    return {"CPU": float(placement.threads), **({"GPU": placement.gpus} if placement.cuda else {})}


def size_that_fits(placement: Placement, nodes: Iterable[NodeRoom]) -> int | None:
    """Return the most workers that a group can have in the free room; ``None`` where not even the fewest have room."""
    each = per_worker(placement)
    room = sum(int(min(free.get(name, 0.0) / amount + 1e-9 for name, amount in each.items())) for free in nodes)
    return max((size for size in placement.sizes if size <= room), default=None)


class GroupSizes:
    """Say with how many workers the next group of a sweep begins. Of a fixed number there is nothing to choose."""

    def __init__(
        self,
        placement: Placement,
        free: Callable[[], Iterable[NodeRoom]] = free_on_nodes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._placement, self._free, self._clock = placement, free, clock
        self._changed = clock() - SETTLE_S

    @property
    def is_elastic(self) -> bool:
        """Return whether there is anything to choose."""
        return len(self._placement.sizes) > 1

    def note_change(self) -> None:
        """Note that a group begins or has ended."""
        self._changed = self._clock()

    def fitting(self) -> int | None:
        """Return the most workers that there is room for now, ``None`` where there is none or that is not known yet."""
        if self._clock() - self._changed < SETTLE_S:
            return None
        return size_that_fits(self._placement, self._free())

    def next_group(self, *, alone: bool) -> Placement | None:
        """Return the placement of a group to begin now, ``None`` to wait; the first, ``alone``, waits with its request.

        That request is for as many as possible: an autoscaler starts machines for it.
        """
        if not self.is_elastic:
            return self._placement
        if self._clock() - self._changed < SETTLE_S:
            return None
        size = self.fitting() or (self._placement.workers if alone else None)
        return None if size is None else self._placement.model_copy(update={"workers": size, "least": None})


class Reserve:
    """Ask for the room that a group lacks to its next size.

    It is a placement group: an autoscaler starts machines for it, and Ray says when there is room.
    """

    def __init__(self, placement: Placement, size: int) -> None:
        larger = next(each for each in placement.sizes if each > size)
        name = f"{PREFIX}reserve-{uuid.uuid4().hex}"
        self._group = placement_group([per_worker(placement)] * (larger - size), name=name)

    def is_there(self) -> bool:
        """Return whether there is room."""
        return bool(placement_group_table(self._group).get("state") == "CREATED")

    def release(self) -> None:
        """Give the room back, or ask for it no longer."""
        remove_placement_group(self._group)
