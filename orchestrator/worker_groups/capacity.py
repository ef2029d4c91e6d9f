"""Say what a Ray cluster has, and what a trial wanted of it."""

import ray

from trainers.schema import Placement


def what_there_is() -> str:
    """Say what the cluster has, and what of it is free."""
    total, free = ray.cluster_resources(), ray.available_resources()  # type: ignore[no-untyped-call]
    have = ", ".join(f"{free.get(name, 0):g} of {total.get(name, 0):g} {name}s" for name in ("CPU", "GPU"))
    return f"free in the cluster: {have}"


def waited_for(placement: Placement) -> str:
    """Say in one sentence what a worker group wanted and what there is."""
    wanted = f"{placement.workers} workers with {placement.threads} CPUs" + (
        f" and {placement.gpus:g} GPUs each" if placement.cuda else " each"
    )
    return f"not started after {placement.start_timeout_s:g} s: waited for {wanted}; {what_there_is()}"
