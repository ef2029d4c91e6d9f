"""Measure how well a shortened reproduction ranks its rows: Spearman's correlation with the full one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.reproduce.agenda import Agenda
from orchestrator.reproduce.measured import Results, judged


@dataclass(frozen=True)
class Agreement:
    """Hold the rank correlation of mean AP over the rows that ran at both fidelities; ``None`` below three rows."""

    rows: int
    correlation: float | None


def agreement(short: tuple[Agenda, Results], full: tuple[Agenda, Results]) -> Agreement:
    """Return how the rows' order of mean AP agrees between a short and a full reproduction of the same rows."""
    few, whole = (_means(*each) for each in (short, full))
    both = [name for name in few if name in whole]
    if len(both) < 3:
        return Agreement(len(both), None)
    return Agreement(len(both), spearman([few[name] for name in both], [whole[name] for name in both]))


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation of two lists of equal length, equal values sharing their mean rank.

    ``None`` when all values of a list are equal, which leaves nothing to rank.
    """
    x, y = ranks(first), ranks(second)
    middle = (len(x) + 1) / 2
    covariance = sum((a - middle) * (b - middle) for a, b in zip(x, y, strict=True))
    variances = [sum((rank - middle) ** 2 for rank in each) for each in (x, y)]
    return covariance / math.sqrt(variances[0] * variances[1]) if all(variances) else None


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 1, the mean of their ranks for equal ones."""
    return [sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values]


def _means(agenda: Agenda, results: Results) -> dict[tuple[str, str], float]:
    """Return the mean AP of each trained row, by its study and variant; public weights are the same at every fidelity."""
    cells = {(found.row.study, found.variant): found.cells["mAP"].mean for found in judged(agenda, results)}
    return {name: mean for name, mean in cells.items() if mean is not None and name[0]}
