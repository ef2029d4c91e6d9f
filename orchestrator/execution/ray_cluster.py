"""Start a Ray on this machine or connect to a running one, and stop it."""

import socket
from typing import Any

import ray
from ray.exceptions import RayError

from orchestrator.core.errors import OperationError
from orchestrator.plan.machine import Machine, this_machine
from trainers.schema.error_text import first_line

CONNECT_TIMEOUT_S = 10


def start_ray(address: str | None) -> None:
    """Connect to the cluster at ``address``, or start a local Ray, unless that is done already.

    ``ray_environment.prepare`` has run before Ray was imported.

    Raises ``OperationError`` when there is no cluster at the address.
    """
    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        start_local_ray(quiet)
        return
    require_listener(address)
    try:
        ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, RayError) as error:
        raise OperationError(f"no Ray cluster can be reached at {address}: {first_line(error)}") from error


def start_local_ray(options: dict[str, Any]) -> None:
    """Start a Ray with all that this machine has; raise ``OperationError`` when one of its processes does not come up."""
    machine = this_machine()
    try:
        ray.init("local", num_cpus=machine.cpus, num_gpus=machine.gpus, include_dashboard=False, **options)
    except Exception as error:  # Ray raises the bare class here, for a process of its own that has died or is late
        raise OperationError(f"cannot start Ray on this machine: {first_line(error)}; run again") from error


def require_listener(address: str) -> None:
    """Raise ``OperationError`` at once when nothing listens at ``host:port``: Ray itself would try for two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # a name that Ray resolves, such as auto
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise OperationError(f"no Ray cluster can be reached at {address}: {error}") from error


def cluster() -> Machine:
    """Return the resources of the cluster that this process is connected to, as one machine with its nodes."""
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    nodes = tuple(Machine(cpus=int(one.get("CPU", 0)), gpus=int(one.get("GPU", 0))) for one in found)
    return Machine(cpus=sum(node.cpus for node in nodes), gpus=sum(node.gpus for node in nodes), nodes=nodes)


def stop_ray() -> None:
    """Leave the cluster, or end the local Ray with all its processes."""
    ray.shutdown()
