"""Judge a hypothesis, that one study ends above another, by their seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.results.ranking import pooled
from orchestrator.results.sample import sample_of

Answer = Literal["yes", "no", "undecided", "not run"]


@dataclass(frozen=True)
class HypothesisResult:
    """Hold the difference of two means in percent, the difference that would be clear, and the conclusion."""

    answer: Answer
    difference: float | None = None
    margin: float | None = None


def compare(better: Sequence[float], than: Sequence[float]) -> HypothesisResult:
    """Return whether the first mean is clearly above the second, by the rule that ranks the rows of a study.

    Values are AP in percent, one for each seed. A difference within the margin, or of single seeds, decides nothing.
    """
    first, second = sample_of(better), sample_of(than)
    if first is None or second is None:
        return HypothesisResult("not run")
    difference = first.mean - second.mean
    common = pooled([first, second])
    if common is None:
        return HypothesisResult("undecided", difference)
    margin = common.margin(first, second)
    if abs(difference) <= margin:
        return HypothesisResult("undecided", difference, margin)
    return HypothesisResult("yes" if difference > 0 else "no", difference, margin)
