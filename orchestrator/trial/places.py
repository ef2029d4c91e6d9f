"""Know the placement groups of a trial's workers by name, and free them whoever is left to do it.

Ray keeps a group until its whole job ends, also when the actor that made it is dead: with its CPUs reserved, the trial's
next attempt would wait for them in vain.
"""

import contextlib
import uuid

from ray.util import get_placement_group, placement_group_table, remove_placement_group

PREFIX = "stillhouse-trial-"


def new_name(trial_id: str) -> str:
    """Return a name for a placement group of the trial; no two attempts have the same."""
    return f"{PREFIX}{trial_id}-{uuid.uuid4().hex}"


def free_places(trial_id: str) -> None:
    """Remove all placement groups of the trial's workers, and with them what runs there."""
    for entry in placement_group_table().values():
        if entry["name"].startswith(f"{PREFIX}{trial_id}-") and entry["state"] != "REMOVED":
            with contextlib.suppress(ValueError):  # it has just been removed
                remove_placement_group(get_placement_group(entry["name"]))
