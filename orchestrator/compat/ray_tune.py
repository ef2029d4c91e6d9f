"""Ask Ray Tune's HyperBand about trials that it has paused, which Ray keeps private (written against Ray 2.60.0)."""

from typing import Any


def unpauses(scheduler: Any, trial: Any) -> bool:
    """Tell whether a scheduler lets a paused trial go on; only HyperBand pauses, and only its brackets know."""
    info = getattr(scheduler, "_trial_info", {}).get(trial)
    return info is not None and trial in info[0].trials_to_unpause
