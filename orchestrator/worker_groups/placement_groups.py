"""Find the placement groups of a host's workers by name, and free them from any process.

Ray keeps a group until its whole job ends, also when the actor that made it is dead: with its CPUs reserved, the next
host would wait for them in vain.
"""

import contextlib
import uuid
from typing import Any

from ray.util import get_placement_group, placement_group_table, remove_placement_group

PREFIX = "stillhouse-host-"


def new_name(host: str) -> str:
    """Return a name for a placement group of the host; no two have the same."""
    return f"{PREFIX}{host}-{uuid.uuid4().hex}"


def has_places(host: str) -> bool:
    """Return whether the workers of a host have their places."""
    return any(entry["state"] == "CREATED" for entry in _groups_of(host))


def _groups_of(host: str) -> list[dict[str, Any]]:
    return [entry for entry in placement_group_table().values() if entry["name"].startswith(f"{PREFIX}{host}-")]


def free_places(host: str) -> None:
    """Remove all placement groups of the host's workers, and with them the processes that run there."""
    for entry in _groups_of(host):
        if entry["state"] != "REMOVED":
            with contextlib.suppress(ValueError):  # it has just been removed
                remove_placement_group(get_placement_group(entry["name"]))
