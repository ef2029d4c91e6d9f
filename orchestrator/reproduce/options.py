"""Hold the options of a reproduction."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.study.fidelity import Fidelity


@dataclass(frozen=True)
class Options:
    """Hold the command's choices; ``None`` leaves a thing as the rows' studies have it.

    ``accept_teacher_ap`` goes on with public weights whose AP is none of those published for them.
    """

    fidelity: Fidelity = "full"
    gpus: int | None = None
    seeds: int | None = None
    paper_options: Mapping[str, str] = field(default_factory=dict)
    accept_teacher_ap: bool = False

    def sets(self) -> list[str]:
        """Return the changes of every study, as ``--set`` takes them."""
        changes = [] if self.seeds is None else [f"search.seeds={list(range(self.seeds))}"]
        return changes if self.gpus is None else [*changes, f"scaling.workers={self.gpus}"]
