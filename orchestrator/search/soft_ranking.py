"""Decide whether two rungs rank trials alike, up to the noise of their curves (PASHA, Bohdal et al. 2023, arXiv:2207.06940)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

Curve = Mapping[int, float]  # AP by epoch


class Noise:
    """Estimate how far apart two scores may lie that differ by noise only: epsilon of section 4.2 of the paper.

    Curves of two trials that cross and cross back order them differently at different epochs, so their distance at the
    last epoch that both have is noise. Epsilon is a percentile of these distances, 0 where no two curves cross twice.
    """

    def __init__(self, percentile: float) -> None:
        self._percentile = percentile
        self._curves: list[Curve] = []
        self._distances: list[float] = []

    def add(self, curve: Curve) -> None:
        """Compare one more curve with all before."""
        found = [last_distance(curve, other) for other in self._curves if crosses_twice(curve, other)]
        self._distances += found
        self._curves.append(dict(curve))

    @property
    def epsilon(self) -> float:
        """Return the estimate."""
        return float(np.percentile(self._distances, self._percentile)) if self._distances else 0.0


def crosses_twice(one: Curve, other: Curve) -> bool:
    """Return whether two curves cross and cross back; where they touch they do not cross."""
    differences = [one[epoch] - other[epoch] for epoch in sorted(one.keys() & other.keys())]
    signs = [difference > 0 for difference in differences if difference]
    return sum(before is not after for before, after in pairwise(signs)) >= 2


def last_distance(one: Curve, other: Curve) -> float:
    """Return the distance of two curves at the last epoch that both have."""
    epoch = max(one.keys() & other.keys())
    return abs(one[epoch] - other[epoch])


def ranks_alike(above: Mapping[str, float], below: Mapping[str, float], epsilon: float) -> bool:
    """Return whether the ranking of the upper rung holds in the soft ranking of the lower one.

    The soft ranking has at each place all trials within ``epsilon`` of the trial that is there. Only trials of the upper
    rung are ranked, and each has to be among those of its place in the lower one.
    """
    upper, lower = by_score(above), by_score({trial: below[trial] for trial in above})
    return all(abs(below[one] - below[other]) <= epsilon for one, other in zip(upper, lower, strict=True))


def by_score(scores: Mapping[str, float]) -> Sequence[str]:
    """Return the trials of a rung, the best first; of equals the one that came first."""
    return sorted(scores, key=lambda trial: -scores[trial])
