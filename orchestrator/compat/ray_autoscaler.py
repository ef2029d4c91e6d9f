"""Ask Ray's autoscaler what it may start and what is on its way, which Ray keeps private (written against Ray 2.60.0).

A cluster without an autoscaler answers that nothing may be started and nothing is coming.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainers.schema.foreign_json import parse_json

log = logging.getLogger(__name__)
Kind = tuple[int, int, int]  # CPUs, GPUs, how many there may be
MONITOR = "autoscaler/_private/monitor.py", "autoscaler/v2/monitor.py"
OPTION = "--autoscaling-config="
STATUS = "__autoscaling_status"
STALE_S = 120.0  # an autoscaler writes every five seconds: one that is silent for so long starts nothing any more


def reported_kinds() -> list[Kind]:
    """Return the kinds that the cluster's own state names; Ray's launcher and KubeRay leave them out of it."""
    from ray._private.state import state

    found = state.get_cluster_config()
    groups = found.node_group_configs if found is not None else ()
    return [_kind(group.resources, max(0, group.max_count)) for group in groups]


def configured_kinds(processes: Path = Path("/proc")) -> list[Kind]:
    """Return the kinds in the file of the autoscaler that runs on this machine, none where there is no such process."""
    import yaml

    for path in _configs(processes):
        try:
            return kinds_in(yaml.safe_load(Path(path).expanduser().read_text()))
        except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError):
            continue  # another's file, which this user may not read
    return []


def kinds_in(config: dict[str, Any]) -> list[Kind]:
    """Return the kinds of worker machines in a file of Ray's cluster launcher, the largest first."""
    most = int(config.get("max_workers", 2))
    head = config.get("head_node_type")
    kinds = [
        _kind(found.get("resources") or {}, min(most, int(found.get("max_workers", most))))
        for name, found in (config.get("available_node_types") or {}).items()
        if name != head or found.get("max_workers")
    ]
    return list(_at_most(sorted(kinds, key=lambda kind: (kind[1], kind[0]), reverse=True), most))


def _at_most(kinds: list[Kind], most: int) -> Iterator[Kind]:
    """Yield kinds with no more machines than ``most`` altogether."""
    for cpus, gpus, count in kinds:
        if taken := min(count, most):
            yield cpus, gpus, taken
        most -= taken


def _configs(processes: Path) -> Iterator[str]:
    for command in processes.glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(word.endswith(MONITOR) for word in words):
            yield from (word.removeprefix(OPTION) for word in words if word.startswith(OPTION))


def _kind(resources: Any, most: int) -> Kind:
    return int(resources.get("CPU", 0)), int(resources.get("GPU", 0)), most


def coming() -> str:
    """Return what the autoscaler is starting, such as ``2 of worker``, and which starts its provider refuses; "" for neither.

    The process is connected to Ray.
    """
    starting, refused = _status()
    parts = [f"{count} of {name}" for name, count in sorted(starting.items())]
    said = f"being started: {', '.join(parts)}" if parts else ""
    return "; ".join(filter(None, (said, *(f"the provider refuses {name}: {why}" for name, why in refused.items()))))


def is_coming() -> bool:
    """Return whether the autoscaler is starting a machine."""
    return bool(_status()[0])


def _status() -> tuple[Counter[str], dict[str, str]]:
    """Return how many machines of each kind are being started, and why a kind cannot be had."""
    try:
        from ray.autoscaler.v2.utils import is_autoscaler_v2

        return _second() if is_autoscaler_v2() else _first()
    except Exception as error:  # noqa: BLE001  whatever the answer is, nothing is known to be coming, and the run goes on
        log.debug("could not ask the autoscaler: %s", error)
        return Counter(), {}


def _first() -> tuple[Counter[str], dict[str, str]]:
    from ray.experimental.internal_kv import _internal_kv_get

    status = parse_json(_internal_kv_get(STATUS) or "{}") or {}
    if time.time() - status.get("time", 0) > STALE_S:
        return Counter(), {}
    report = status.get("autoscaler_report") or {}
    starting = Counter({name: int(count) for name, count in (report.get("pending_launches") or {}).items()})
    starting.update(str(node[-2]) for node in report.get("pending_nodes") or [])
    known = (report.get("node_availability_summary") or {}).get("node_availabilities") or {}
    refused = {
        name: str((found.get("unavailable_node_information") or {}).get("description"))
        for name, found in known.items()
        if not found.get("is_available", True)
    }
    return starting, refused


def _second() -> tuple[Counter[str], dict[str, str]]:
    import ray
    from ray.autoscaler.v2.sdk import get_cluster_status

    found = get_cluster_status(ray.get_runtime_context().gcs_address)
    starting = Counter({one.ray_node_type_name: one.count for one in found.pending_launches})
    starting.update(node.ray_node_type_name for node in found.pending_nodes)
    return starting, {one.ray_node_type_name: str(one.details) for one in found.failed_launches}
