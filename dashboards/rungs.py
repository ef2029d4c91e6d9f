"""Tell how well an early evaluation predicts the end: what early stopping relies on."""

import math
from collections.abc import Sequence

from dashboards.comparability import Comparable
from dashboards.leaderboard import without_repeats
from dashboards.numbers import is_finite, number
from dashboards.schema import RungCorrelation

FEWEST = 3  # trials: two are always in one order or the other


def rung_correlation(group: Comparable) -> RungCorrelation | None:
    """Return Spearman's correlation of the metric at each epoch with that at the end, over finished students.

    Students trained alone count, too: a scheduler compares them with the others. ``None`` for fewer than three trials.
    """
    curves = [
        {step: value for step, value in trial.curves.get(trial.metric, ()) if is_finite(value)}
        for trial in without_repeats([*group.baselines, *group.distilled])
        if trial.run.outcome == "finished" or (not trial.run.outcome and trial.run.status == "FINISHED")
    ]
    curves = [curve for curve in curves if curve]
    if len(curves) < FEWEST:
        return None
    ends = [curve[max(curve)] for curve in curves]
    epochs = sorted({step for curve in curves for step in curve})
    pairs = [[(curve[step], end) for curve, end in zip(curves, ends, strict=True) if step in curve] for step in epochs]
    return {
        "group": group.id,
        "epochs": epochs,
        "rho": [number(spearman(*zip(*found, strict=True))) if len(found) >= FEWEST else None for found in pairs],
        "n": [len(found) for found in pairs],
    }


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the correlation of ranks, equal values sharing the mean of theirs; ``None`` where one side is constant."""
    a, b = average_ranks(one), average_ranks(other)
    middle = (len(a) + 1) / 2
    covariance = math.fsum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True))
    variances = [math.fsum((x - middle) ** 2 for x in ranks) for ranks in (a, b)]
    return covariance / math.sqrt(variances[0] * variances[1]) if all(variances) else None


def average_ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 1, equal ones sharing the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end + 1 < len(order) and values[order[end + 1]] == values[order[begin]]:
            end += 1
        for index in order[begin : end + 1]:
            ranks[index] = (begin + end) / 2 + 1
        begin = end + 1
    return ranks
