"""Judge a claim, that one study ends above another, by their seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from orchestrator.reproduce.verdict import STANDARD_ERRORS, standard_error

Answer = Literal["yes", "no", "undecided", "not run"]


@dataclass(frozen=True)
class Judgement:
    """Hold the difference of two means in percent, twice its standard error, and what follows."""

    answer: Answer
    difference: float | None = None
    margin: float | None = None


def compare(better: Sequence[float], than: Sequence[float]) -> Judgement:
    """Return whether the first mean is above the second by more than two standard errors of the difference.

    Values are AP in percent, one for each seed. A difference within the margin, or of single seeds, decides nothing.
    """
    first, second = ([value for value in values if math.isfinite(value)] for values in (better, than))
    if not first or not second:
        return Judgement("not run")
    difference = fmean(first) - fmean(second)
    errors = standard_error(first), standard_error(second)
    if errors[0] is None or errors[1] is None:
        return Judgement("undecided", difference)
    margin = STANDARD_ERRORS * math.hypot(errors[0], errors[1])
    if abs(difference) <= margin:
        return Judgement("undecided", difference, margin)
    return Judgement("yes" if difference > 0 else "no", difference, margin)
