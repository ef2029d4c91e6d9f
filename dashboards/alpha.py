"""Lay the selection metric out over (alpha1, alpha2)."""

from collections.abc import Iterator

from dashboards.numbers import is_finite, number
from dashboards.paper import paper_alphas
from dashboards.run_record import RunRecord
from dashboards.schema import AlphaGrid
from orchestrator.results.comparability import Comparable, without_repeats
from orchestrator.results.sample import sample_of

X, Y = "method.alpha1", "method.alpha2"
AlphaPoint = tuple[float, float]


def alpha_grids(group: Comparable[RunRecord]) -> Iterator[AlphaGrid]:
    """Yield one grid for each method and student of a group that was trained at two points or more.

    A cell's value is the mean over all its trials that count: over seeds and all other searched settings.
    """
    found: dict[tuple[str, str], dict[AlphaPoint, list[RunRecord]]] = {}
    for trial in without_repeats(group.distilled):
        point = _point(trial)
        if point is not None:
            found.setdefault((trial.method, trial.student), {}).setdefault(point, []).append(trial)
    for (method, student), cells in found.items():
        if len(cells) > 1:
            yield _grid(group.id, method, student, cells)


def _point(trial: RunRecord) -> AlphaPoint | None:
    try:
        x, y = float(trial.run.params[X]), float(trial.run.params[Y])
    except (KeyError, ValueError):
        return None
    return (x, y) if is_finite(x) and is_finite(y) else None


def _grid(group: str, method: str, student: str, cells: dict[AlphaPoint, list[RunRecord]]) -> AlphaGrid:
    xs, ys = sorted({x for x, _ in cells}), sorted({y for _, y in cells})
    trials = [[cells.get((x, y), []) for x in xs] for y in ys]
    samples = [[sample_of(trial.score for trial in cell) for cell in line] for line in trials]
    return {
        "group": group,
        "method": method,
        "student": student,
        "x": X,
        "y": Y,
        "xs": xs,
        "ys": ys,
        "mean": [[number(cell.mean) if cell else None for cell in line] for line in samples],
        "spread": [[number(cell.spread) if cell else None for cell in line] for line in samples],
        "n": [[cell.n if cell else 0 for cell in line] for line in samples],
        "others": [[sum(not trial.counts for trial in cell) for cell in line] for line in trials],
        "runs": [[[t.run.run_id for t in cell] for cell in line] for line in trials],
        "paper": paper_alphas(method),
    }
