"""Plan, schedule and track the trials of a study."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api import Study

__all__ = ["Study"]


def __getattr__(name: str) -> Any:
    """Load ``Study`` when somebody asks for it: the commands start without."""
    if name == "Study":
        from orchestrator.api import Study

        return Study
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
