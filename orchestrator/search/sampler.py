"""Define the interface that proposes points, and choose an implementation."""

from typing import Protocol

from orchestrator.plan.suggestion import Suggestion

Values = tuple[float, ...]


class Sampler(Protocol):
    """Propose points. Its proposals depend only on earlier proposals and results, and on the search's seed.

    A new process therefore goes on where another one ended: it repeats ``add_running`` and ``tell`` from the log.
    """

    def suggest(self) -> Suggestion | None:
        """Return the next point without taking note of it; ``None`` while it waits for results, or at the end."""

    def add_running(self, suggestion: Suggestion) -> None:
        """Record a point that is being tried."""

    def tell(self, number: int, values: Values | None) -> None:
        """Record a point's results, one for each objective, higher is better; ``None`` when it failed."""

    def add_prior(self, params: dict[str, object], values: Values) -> None:
        """Record an earlier result from elsewhere."""
