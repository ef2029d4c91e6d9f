"""Rank rows so that a difference within the spread over seeds is no difference: the only ranking that there is.

Studies repeat a point with two to five seeds. A row's own standard deviation says little then: that of two seeds is too
small by half or more in 38 % of all cases, and an interval of two standard errors around each mean covers far less than
the 95 % that it is taken for. Hence:

- all rows that are ranked together share one spread, pooled over their degrees of freedom;
- a row is clearly better than another when its mean is above by more than Student's t (95 %, two-sided, with the pooled
  degrees of freedom) times the standard error of the difference;
- a row's rank is one more than the number of rows that are clearly better, so equal ranks are ties;
- a row of one seed takes the pooled spread of the others; where no row was repeated nothing is known of the spread,
  and there are no ranks at all.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

from orchestrator.results.sample import Sample

CONFIDENCE = 0.95
ROUNDING = 1e-12  # equal means of different numbers of seeds differ in the last bit
RANK_RULE = "rows share a rank where their difference is within Student's t (95 %) of the pooled spread over seeds"


@dataclass(frozen=True)
class Pooled:
    """Hold the spread that rows have in common, its degrees of freedom, and the confidence of intervals and margins."""

    spread: float
    freedom: int
    confidence: float = CONFIDENCE

    def margin(self, one: Sample, other: Sample) -> float:
        """Return how far apart two means have to be to be clearly different."""
        return student_t(self.freedom, self.confidence) * self.spread * math.sqrt(1 / one.n + 1 / other.n)

    def interval(self, sample: Sample) -> tuple[float, float]:
        """Return the confidence interval of a mean."""
        half = student_t(self.freedom, self.confidence) * self.spread / math.sqrt(sample.n)
        return sample.mean - half, sample.mean + half


def pooled(samples: Sequence[Sample], confidence: float = CONFIDENCE) -> Pooled | None:
    """Return the common spread of ``samples``, ``None`` where none was repeated."""
    repeated = [(sample.spread, sample.n - 1) for sample in samples if sample.spread is not None]
    freedom = sum(n for _, n in repeated)
    if not freedom:
        return None
    return Pooled(math.sqrt(math.fsum(n * spread**2 for spread, n in repeated) / freedom), freedom, confidence)


def paired(rows: Sequence[Sequence[float]], confidence: float = CONFIDENCE) -> Pooled | None:
    """Return the common spread of rows that have the same seeds in the same order, without the common effect of each seed.

    A seed fixes the order of images, and of one student the weights that it starts from, so much of its effect is common
    to all rows. It does not touch the difference of two means, which such rows can be told apart by. ``None`` where there
    are not two rows of two seeds.
    """
    freedom = (len(rows) - 1) * (len(rows[0]) - 1) if rows else 0
    if freedom < 1:
        return None
    middle = fmean(value for row in rows for value in row)
    seeds = [fmean(column) - middle for column in zip(*rows, strict=True)]
    squares = ((value - fmean(row) - seed) ** 2 for row in rows for value, seed in zip(row, seeds, strict=True))
    return Pooled(math.sqrt(math.fsum(squares) / freedom), freedom, confidence)


def ranks(samples: Sequence[Sample]) -> list[int] | None:
    """Return each sample's rank, 1 for the best; ``None`` where nothing was repeated or there is nothing to compare."""
    common = pooled(samples)
    if common is None or len(samples) < 2:
        return None
    by_seeds: dict[int, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.mean):
        by_seeds.setdefault(sample.n, []).append(sample)
    return [1 + sum(_better(one, others, common) for others in by_seeds.values()) for one in samples]


def _better(one: Sample, others: Sequence[Sample], common: Pooled) -> int:
    """Return how many of ``others``, sorted and of equally many seeds, are clearly better than ``one``."""
    ahead = common.margin(one, others[0]) + ROUNDING
    return len(others) - bisect_right(others, ahead, key=lambda other: other.mean - one.mean)


def beats(one: Sample, other: Sample, common: Pooled) -> bool:
    """Return whether one row is clearly better than another."""
    return one.mean - other.mean > common.margin(one, other) + ROUNDING


@cache
def student_t(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))
