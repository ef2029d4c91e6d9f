"""Hold what a reproduction is asked for beside its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Fidelity = Literal["full", "short", "smoke"]


@dataclass(frozen=True)
class Options:
    """Hold the command's choices; ``None`` leaves a thing as the rows' studies have it."""

    fidelity: Fidelity = "full"
    gpus: int | None = None
    seeds: int | None = None
    switches: Mapping[str, str] = field(default_factory=dict)

    def sets(self) -> list[str]:
        """Return the changes of every study, as ``--set`` takes them."""
        changes = [] if self.seeds is None else [f"search.seeds={list(range(self.seeds))}"]
        return changes if self.gpus is None else [*changes, f"scaling.workers={self.gpus}"]
