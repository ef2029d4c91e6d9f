"""Find the trials than which none is both better and cheaper."""

from collections.abc import Sequence

from dashboards.run_record import RunRecord
from dashboards.schema import Pareto
from orchestrator.results.comparability import Comparable, without_repeats

ParetoPoint = tuple[str, float, float]  # name, cost, value


def pareto(group: Comparable[RunRecord]) -> Pareto:
    """Return the front of a group's students that count, cost in GPU-hours against the selection metric."""
    trials = without_repeats([*group.baselines, *group.distilled])
    points = [
        (trial.run.run_id, trial.gpu_hours, trial.score)
        for trial in trials
        if trial.gpu_hours is not None and trial.score is not None
    ]
    return {"group": group.id, "front": front(points)}


def front(points: Sequence[ParetoPoint]) -> list[str]:
    """Return the names of the points that no other beats in one respect without losing in the other, cheapest first."""
    found: list[str] = []
    highest = float("-inf")
    for name, _, value in sorted(points, key=lambda point: (point[1], -point[2])):
        if value > highest:
            found.append(name)
            highest = value
    return found
