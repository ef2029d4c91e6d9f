"""Lay the selection metric out over (alpha1, alpha2)."""

import statistics
from collections.abc import Iterator

from dashboards.comparability import Comparable
from dashboards.leaderboard import spread, without_repeats
from dashboards.numbers import is_finite, number
from dashboards.paper import paper_alphas
from dashboards.schema import AlphaGrid
from dashboards.seen import Seen

X, Y = "method.alpha1", "method.alpha2"
Point = tuple[float, float]


def alpha_grids(group: Comparable) -> Iterator[AlphaGrid]:
    """Yield one grid for each method and student of a group that was trained at two points or more.

    A cell's value is the mean over all its trials: seeds, and whatever else was searched.
    """
    found: dict[tuple[str, str], dict[Point, list[Seen]]] = {}
    for trial in without_repeats(group.distilled):
        point = _point(trial)
        if point is not None:
            found.setdefault((trial.method, trial.student), {}).setdefault(point, []).append(trial)
    for (method, student), cells in found.items():
        if len(cells) > 1:
            yield _grid(group.id, method, student, cells)


def _point(trial: Seen) -> Point | None:
    try:
        x, y = float(trial.run.params[X]), float(trial.run.params[Y])
    except (KeyError, ValueError):
        return None
    return (x, y) if is_finite(x) and is_finite(y) else None


def _grid(group: str, method: str, student: str, cells: dict[Point, list[Seen]]) -> AlphaGrid:
    xs, ys = sorted({x for x, _ in cells}), sorted({y for _, y in cells})
    trials = [[cells.get((x, y), []) for x in xs] for y in ys]
    scores = [[[t.score for t in cell if t.score is not None] for cell in line] for line in trials]
    return {
        "group": group,
        "method": method,
        "student": student,
        "x": X,
        "y": Y,
        "xs": xs,
        "ys": ys,
        "mean": [[number(statistics.fmean(cell)) if cell else None for cell in line] for line in scores],
        "spread": [[number(spread(cell)) for cell in line] for line in scores],
        "n": [[len(cell) for cell in line] for line in scores],
        "runs": [[[t.run.run_id for t in cell] for cell in line] for line in trials],
        "paper": paper_alphas(method),
    }
