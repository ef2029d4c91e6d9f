"""Ask Ray whether the machine of this process is about to be taken away, which Ray keeps private (written against 2.60.0)."""


def leaves() -> bool:
    """Return whether this process's machine is being drained: a provider gave notice, or somebody ran ``ray drain-node``.

    The process is connected to Ray.
    """
    import ray
    from ray._private.state import state

    draining = state.get_draining_nodes()
    return bool(draining) and ray.get_runtime_context().get_node_id() in draining
