"""Find the trials than which none is both better and cheaper."""

from collections.abc import Iterator, Sequence

from dashboards.run_record import RunRecord
from dashboards.schema import Pareto
from orchestrator.results.comparability import Comparable, without_repeats
from trainers.schema.costs import COSTS

GPU_HOURS = "gpu_hours"
ParetoPoint = tuple[str, float, float]  # name, cost, merit


def pareto_fronts(group: Comparable[RunRecord]) -> Iterator[Pareto]:
    """Yield the fronts of a group's students that count, the selection metric against each cost that is known.

    The front against GPU-hours comes first, and always.
    """
    trials = without_repeats([*group.baselines, *group.distilled])
    for cost in (GPU_HOURS, *COSTS):
        points = [
            (trial.run.run_id, value, trial.merit)
            for trial in trials
            if (value := _cost(trial, cost)) is not None and trial.merit is not None
        ]
        if points or cost == GPU_HOURS:
            yield {"group": group.id, "cost": cost, "front": front(points)}


def _cost(trial: RunRecord, cost: str) -> float | None:
    return trial.gpu_hours if cost == GPU_HOURS else trial.cost.get(cost)


def front(points: Sequence[ParetoPoint]) -> list[str]:
    """Return the names of the points that no other beats in one respect without losing in the other, cheapest first."""
    found: list[str] = []
    highest = float("-inf")
    for name, _, value in sorted(points, key=lambda point: (point[1], -point[2])):
        if value > highest:
            found.append(name)
            highest = value
    return found
