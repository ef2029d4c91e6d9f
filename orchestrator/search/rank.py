"""Rank means so that a difference within the spread is no difference."""

import math
from collections.abc import Sequence
from statistics import NormalDist

CONFIDENCE = 0.95


def ranks(means: Sequence[float], spreads: Sequence[float | None], counts: Sequence[int]) -> list[int] | None:
    """Return each mean's rank: one more than there are others that are clearly better; equal ranks are a tie.

    ``spreads`` are sample standard deviations over ``counts`` repetitions, ``None`` for a single one. All are taken
    for estimates of one spread, since three repetitions say little each: better is a mean that is above by more than
    Student's t (95 %, two-sided, with all degrees of freedom) times the standard error of the difference. ``None`` where
    nothing was repeated: one seed ranks nobody.
    """
    known = [(spread, count) for spread, count in zip(spreads, counts, strict=True) if spread is not None and count > 1]
    freedom = sum(count - 1 for _, count in known)
    if not freedom:
        return None
    pooled = math.sqrt(sum((count - 1) * spread**2 for spread, count in known) / freedom)
    margin = student_t(freedom) * pooled

    def beats(one: int, other: int) -> bool:
        return means[one] - means[other] > margin * math.sqrt(1 / counts[one] + 1 / counts[other])

    everybody = range(len(means))
    return [1 + sum(beats(other, one) for other in everybody) for one in everybody]


def student_t(freedom: int) -> float:
    """Return the two-sided 95 % quantile of Student's t; exact for 1 and 2 degrees of freedom, to 1 % for more.

    Abramowitz and Stegun, eq. 26.7.5.
    """
    p = (1 + CONFIDENCE) / 2
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        return (2 * p - 1) * math.sqrt(1 / (2 * p * (1 - p)))
    z = NormalDist().inv_cdf(p)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
