"""Say what a Ray cluster has."""

import ray


def what_there_is() -> str:
    """Say what the cluster has, and what of it is free."""
    total, free = ray.cluster_resources(), ray.available_resources()  # type: ignore[no-untyped-call]
    have = ", ".join(f"{free.get(name, 0):g} of {total.get(name, 0):g} {name}s" for name in ("CPU", "GPU"))
    return f"free in the cluster: {have}"
