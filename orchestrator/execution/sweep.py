"""Hold the state of a running plan; every part is built once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.execution.unwritten import Unwritten
from orchestrator.plan.budget import Budget
from orchestrator.plan.cohorts import Cohorts, cohorts
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.race import Race
from orchestrator.search.suggestions import Suggestions
from orchestrator.study.space import is_open


@dataclass(frozen=True)
class Sweep:
    """Share a plan, the budget of its study, the state of its search, and what could not be written, among all parts of a run.

    ``budget`` and ``suggestions`` change while trials report; building them replays the records of earlier runs, so the
    parts of a run must not build their own.
    """

    plan: Plan
    unwritten: Unwritten = field(default_factory=Unwritten)

    @cached_property
    def budget(self) -> Budget:
        """Return the students' used budget and best results."""
        return Budget(self.plan)

    @cached_property
    def suggestions(self) -> Suggestions | Race | None:
        """Return the state of an open search or of a race over seeds, ``None`` where all trials are known."""
        if self.plan.race:
            return Race(self.plan)
        return Suggestions(self.plan) if is_open(self.plan.study.search) else None

    @property
    def proposes(self) -> bool:
        """Return whether a search has trials to come."""
        return self.suggestions is not None and not self.suggestions.over

    @property
    def has_proposed_all(self) -> bool:
        """Return whether a search that proposes trials is over."""
        return self.suggestions is not None and self.suggestions.over

    def cohorts(self, trials: Sequence[PlannedTrial]) -> Cohorts:
        """Return which of ``trials`` are trained side by side."""
        return cohorts(self.plan, trials)
