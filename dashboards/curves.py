"""Thin out curves for drawing, and pack those of many runs."""

from collections.abc import Mapping, Sequence

from dashboards.numbers import CURVE, is_finite, number
from dashboards.schema import Histories
from orchestrator.tracking.history.recorded import Curve, Curves


def thinned(curve: Curve, most: int) -> Curve:
    """Return at most ``most`` points of a curve: first, last, and the lowest and highest of each bucket between.

    A peak is never lost, which a mean over the bucket would do. Values that are no number count as lowest.
    """
    if len(curve) <= most or most < 4:
        return curve if len(curve) <= most else [curve[0], curve[-1]][:most]
    inner = curve[1:-1]
    buckets = (most - 2) // 2
    chosen: Curve = [curve[0]]
    for bucket in range(buckets):
        part = inner[bucket * len(inner) // buckets : (bucket + 1) * len(inner) // buckets]
        ordered = sorted(part, key=lambda point: point[1] if is_finite(point[1]) else float("-inf"))
        chosen += sorted({ordered[0], ordered[-1]})
    return [*chosen, curve[-1]]


def packed(curves: Mapping[str, Curves], metrics: Sequence[str], most: int) -> Histories:
    """Return the curves of ``metrics`` of many runs, the epochs that they share written once."""
    places: dict[tuple[int, ...], int] = {}
    columns = {metric: index for index, metric in enumerate(metrics)}
    runs = {}
    for run, found in curves.items():
        lines = []
        for metric, curve in found.items():
            if metric in columns:
                points = thinned(curve, most)
                steps = places.setdefault(tuple(step for step, _ in points), len(places))
                lines.append((columns[metric], steps, [number(value, CURVE) for _, value in points]))
        runs[run] = sorted(lines, key=lambda line: line[0])
    return {"steps": [list(steps) for steps in places], "runs": runs}
