"""Describe the resources of a Ray cluster and those that a trial requested."""

import ray

from trainers.schema import Placement


def what_there_is() -> str:
    """Describe the cluster's total and free resources."""
    total, free = ray.cluster_resources(), ray.available_resources()  # type: ignore[no-untyped-call]
    have = ", ".join(f"{free.get(name, 0):g} of {total.get(name, 0):g} {name}s" for name in ("CPU", "GPU"))
    return f"free in the cluster: {have}"


def waited_for(placement: Placement) -> str:
    """Describe in one sentence the resources that a worker group requested and those available."""
    wanted = f"{placement.workers} workers with {placement.threads} CPUs" + (
        f" and {placement.gpus:g} GPUs each" if placement.cuda else " each"
    )
    return f"not started after {placement.start_timeout_s:g} s: waited for {wanted}; {what_there_is()}"
