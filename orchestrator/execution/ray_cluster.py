"""Start a Ray on this machine or connect to a running one, see what it has and can become, and stop it."""

import contextlib
import gc
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import ray
from ray.exceptions import RayError

from orchestrator.compat.ray_autoscaler import configured_kinds, reported_kinds
from orchestrator.compat.ray_job_config import SearchPathJob
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.own_packages import search_path
from orchestrator.core.processes import this_process
from orchestrator.execution.ownership import end_marked, marked
from orchestrator.plan.growth import VARIABLE, NodeKind, as_one, from_text, grown
from orchestrator.plan.machine import Machine, this_machine
from orchestrator.worker_groups.broker import ON_HEAD
from trainers.schema.error_text import first_line

CONNECT_TIMEOUT_S = 10
ANSWER_S = 30.0  # that the head gets to say what the cluster can become
ATTEMPTS = 3  # at starting a local Ray
log = logging.getLogger(__name__)


def start_ray(address: str | None, variables: Mapping[str, str] | None = None) -> None:
    """Connect to the cluster at ``address``, or start a local Ray, unless that is done already.

    Its workers have ``variables`` in their environment when they start, beside those of the Ray job that this process may
    be in: Ray adds to a job's variables what it is told here, and drops what the job's configuration says.
    ``ray_environment.prepare`` has run before Ray was imported.

    Raises ``OperationError`` when there is no cluster at the address.
    """
    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    quiet |= {"job_config": SearchPathJob(search_path())}
    quiet |= {"runtime_env": {"env_vars": dict(variables)}} if variables else {}
    if address is None:
        start_local_ray(quiet)
        return
    require_listener(address)
    try:
        ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, RayError) as error:
        raise OperationError(f"no Ray cluster can be reached at {address}: {first_line(error)}") from error


def start_local_ray(options: dict[str, Any]) -> None:
    """Start a Ray with all that this machine has; raise ``OperationError`` when one of its processes does not come up.

    Ray waits 30 s for them, which a busy machine may exceed: the start is then tried again.
    """
    machine, own = this_machine(), this_process().identity
    before = frozenset(found.identity for found in marked(own))
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            ray.init("local", num_cpus=machine.cpus, num_gpus=machine.gpus, include_dashboard=False, **options)
            return
        except Exception as error:  # Ray raises the bare class here, for a process of its own that has died or is late
            ray.shutdown()
            end_marked(own, before)
            if not may_be_busy(error):
                raise OperationError(f"cannot start Ray on this machine: {first_line(error)}") from error
            if not attempts_left:
                raise OperationError(f"cannot start Ray on this machine: {first_line(error)}; run again") from error
            log.warning("Ray did not start (%s): trying again, %d left", first_line(error), attempts_left)


def may_be_busy(error: Exception) -> bool:
    """Return whether a start of Ray that failed may succeed: a folder or a port that Ray cannot use stays so."""
    return isinstance(error, ConnectionError | TimeoutError) or not isinstance(error, OSError | ValueError)


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
    """Return the cluster that this process is connected to, as one machine with its nodes.

    Where an autoscaler starts machines, it is what the cluster can become.
    """
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    nodes = [Machine(cpus=int(one.get("CPU", 0)), gpus=int(one.get("GPU", 0))) for one in found]
    kinds = growth()
    return grown(nodes, kinds) if kinds else as_one(nodes)


@cache
def growth() -> tuple[NodeKind, ...]:
    """Return the kinds of machines that the cluster's autoscaler may start, none where there is no autoscaler.

    The head knows: by its variable (a cluster that Stillhouse described), or by the file of its autoscaler.
    """
    reported = reported_kinds() or kinds_here() or _kinds_on_head()
    return tuple(NodeKind(*kind) for kind in reported)


def kinds_here() -> list[tuple[int, int, int]]:
    """Return the growth of its cluster as this machine knows it, nothing on a machine that is no head."""
    text = os.environ.get(VARIABLE, "")
    try:
        described = from_text(text)
    except (ValueError, TypeError):
        raise UserError(
            f"{VARIABLE}={text}: give CPUS/GPUS/MOST of each kind of machine, such as 8/0/10,48/4/2"
        ) from None
    return [(kind.cpus, kind.gpus, kind.most) for kind in described] or configured_kinds()


def _kinds_on_head() -> list[tuple[int, int, int]]:
    """Ask on the head; a head that is not there, or is too busy to answer, has nothing to say.

    What does not answer in time is left alone: Ray ends the whole process ("Tried to complete task that was not pending") when
    a task ends while it is being cancelled.
    """
    asked = ray.remote(kinds_here).options(num_cpus=0, resources=ON_HEAD, max_retries=0).remote()
    try:
        kinds: list[tuple[int, int, int]] = ray.get(asked, timeout=ANSWER_S)
        return kinds
    except RayError:
        return []


def stop_ray() -> None:
    """Leave the cluster, or end the local Ray with all its processes."""
    growth.cache_clear()
    with no_collection():
        ray.shutdown()


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Collect garbage now, and none for the length of a block.

    Ray gives up Python's lock while it takes itself down, and ends the process (exit code 1) when another thread frees an
    ``ObjectRef`` meanwhile. No thread of ours holds one, but any of them may be the one that collects garbage.
    """
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
