"""Hold the result of one planned trial, from any source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import JsonValue

from orchestrator.core.numbers import is_number
from orchestrator.core.printable import printable
from orchestrator.plan.labels import row_name
from orchestrator.results.detector_costs import cost_json
from orchestrator.results.metric_names import title_of, value_text
from orchestrator.results.settings import flatten
from orchestrator.results.trial import counts
from trainers.schema.costs import DetectorCost
from trainers.schema.record import SELECTION_METRIC, TakenOver


@dataclass(frozen=True)
class TrialResult:
    """Hold the result of one trial. ``metrics`` are those of its best epoch, ``last`` those of its last evaluation.

    ``flat`` are its settings as dotted keys, ``searches`` those that its study varies; results made by hand may leave
    both out, then the searched values stand for all settings. ``test`` are the metrics on the study's test split, empty
    where the trial was not measured on it: no choice may ask them. ``cost`` is its detector's, where it was measured.
    ``metric`` is the one that the study selects by, ``prefix`` says which other trial has made its first epochs. ``epoch``
    is the last one, ``best_epoch`` the one of ``metrics`` and of the exported weights, known when the trial has ended.
    """

    id: str
    role: str
    method: str
    params: dict[str, JsonValue]
    seed: int
    status: str
    epoch: int | None
    metrics: dict[str, float]
    last: dict[str, float]
    mlflow_run_id: str | None
    checkpoint: str | None
    flat: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    searches: tuple[str, ...] = field(default=(), repr=False, compare=False)
    test: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)
    cost: DetectorCost | None = field(default=None, repr=False, compare=False)
    metric: str = field(default=SELECTION_METRIC, repr=False, compare=False)
    prefix: TakenOver | None = field(default=None, repr=False, compare=False)
    best_epoch: int | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        score = self.metrics.get(self.metric)
        amount = "" if score is None else f", {title_of(self.metric)} {value_text(self.metric, score)}"
        return printable(f"<TrialResult {self.id} {self.name} seed={self.seed}: {self.status}{amount}>")

    @property
    def is_finished(self) -> bool:
        """Return whether the trial ended as planned."""
        return self.status == "finished"

    @property
    def best(self) -> Mapping[str, float]:
        """Return the metrics of the best epoch."""
        return self.metrics

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """Return all settings as dotted keys and texts."""
        searched = [pair for key, value in self.params.items() for pair in flatten(key, value)]
        return self.flat or {**dict(searched), "method.kind": self.method, "seed": str(self.seed)}

    @property
    def searched(self) -> tuple[str, ...]:
        """Return the settings that the study varies on purpose."""
        return self.searches if self.flat else tuple(self.params)

    @property
    def study(self) -> str:
        """Return nothing: all results of a plan belong to its study."""
        return ""

    @property
    def data(self) -> str:
        """Return nothing: all trials of a plan see the same data."""
        return ""

    @property
    def name(self) -> str:
        """Return the name of the trial's row: the teacher, or the method, and the searched values."""
        return row_name(self.role, self.method, self.params)

    def to_json(self) -> dict[str, Any]:
        """Return the trial as ``run --json`` and ``compare --json`` print it; a failed measurement is null.

        ``counts`` says whether the trial enters means and ranks.
        """
        shown = {key: value for key, value in vars(self).items() if key in _SHOWN}
        numbers = {key: _as_json(shown[key]) for key in ("metrics", "last")}
        prefix = None if self.prefix is None else dict(vars(self.prefix))
        return shown | numbers | {"counts": counts(self), "cost": cost_json(self.cost), "prefix": prefix}


_SHOWN = (
    "id", "role", "method", "params", "seed", "status", "epoch", "best_epoch", "metrics", "last", "mlflow_run_id", "checkpoint",
)  # fmt: skip


def _as_json(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if is_number(value) else None for key, value in metrics.items()}
