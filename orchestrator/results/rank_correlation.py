"""Correlate the order of two lists, or of one thing measured twice: Spearman's rank correlation."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

FEWEST = 3  # two are always in one order or the other


@dataclass(frozen=True)
class RankAgreement:
    """Hold the rank correlation over the rows that were measured twice; ``None`` below three rows."""

    rows: int
    correlation: float | None


def agreement_of(one: Mapping[Hashable, float], other: Mapping[Hashable, float]) -> RankAgreement:
    """Return how the order of the rows that both have agrees."""
    both = [name for name in one if name in other]
    if len(both) < FEWEST:
        return RankAgreement(len(both), None)
    return RankAgreement(len(both), spearman([one[name] for name in both], [other[name] for name in both]))


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
