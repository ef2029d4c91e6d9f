"""Measure how well an early evaluation predicts the final result, which early stopping relies on."""

from dashboards.numbers import is_finite, number
from dashboards.run_record import RunRecord
from dashboards.schema import RungCorrelation
from orchestrator.results.comparability import Comparable, without_repeats
from orchestrator.results.rank_correlation import spearman
from orchestrator.results.trial import is_final

FEWEST = 3  # trials: two are always in one order or the other


def rung_correlation(group: Comparable[RunRecord]) -> RungCorrelation | None:
    """Return Spearman's correlation of the metric at each epoch with that at the end, over finished students.

    Students trained alone count, too: a scheduler compares them with the others. ``None`` for fewer than three trials.
    """
    curves = [
        {step: value for step, value in trial.curves.get(trial.metric, ()) if is_finite(value)}
        for trial in without_repeats([*group.baselines, *group.distilled])
        if is_final(trial)
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
