"""Compare a measured number with the printed one: reproduced, off, not run, or not printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.results.sample import sample_of
from orchestrator.study.wording import counted

LEAST, ONE_SEED, STANDARD_ERRORS = 0.3, 0.5, 2.0  # of AP, in percent
ROUNDING = 1e-9  # numbers of one decimal place are no sums of powers of two

ComparisonKind = Literal["reproduced", "off", "not run", "not printed"]


@dataclass(frozen=True)
class Comparison:
    """Hold the verdict on one cell of a table; all numbers in percent.

    ``mean`` is over the seeds that gave a number, ``None`` without any; ``error`` is its standard error, ``None`` for one
    seed. ``note`` names weaknesses of the comparison, such as missing seeds.
    """

    kind: ComparisonKind
    printed: float | None
    mean: float | None = None
    error: float | None = None
    tolerance: float | None = None
    note: str = ""

    @property
    def difference(self) -> float | None:
        """Return measured minus printed."""
        return None if self.mean is None or self.printed is None else self.mean - self.printed


def judge(printed: float | None, values: Sequence[float], asked: int) -> Comparison:
    """Return the comparison on one cell from one value (percent) for each finished seed, of ``asked`` seeds.

    The printed number is reproduced when the mean differs from it by no more than 0.3, or two standard errors of the mean
    where that is more; one seed has no standard error and may differ by 0.5. A value that is no number counts as none.
    """
    sample = sample_of(values)
    note = _note(len(values), sample.n if sample else 0, asked)
    if sample is None:
        kind: ComparisonKind = "not printed" if printed is None and not values else "not run"
        return Comparison(kind, printed, note=note)
    mean, error = sample.mean, sample.standard_error
    if printed is None:
        return Comparison("not printed", None, mean, error, note=note)
    tolerance = ONE_SEED if error is None else max(LEAST, STANDARD_ERRORS * error)
    within = abs(mean - printed) <= tolerance + ROUNDING
    return Comparison("reproduced" if within else "off", printed, mean, error, tolerance, note)


def _note(finished: int, numbers: int, asked: int) -> str:
    parts = []
    if finished < asked:
        parts.append(f"{finished} of {counted(asked, 'seed')}")
    if numbers < finished:
        parts.append(f"{finished - numbers} not a number")
    if numbers == 1:
        parts.append("one seed")
    return ", ".join(parts)
