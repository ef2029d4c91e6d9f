"""Say how a study ended: the best student, and its gain over the student alone."""

from collections.abc import Sequence

from orchestrator.results.gain import gain_sentence
from orchestrator.results.metric_names import title_of, value_text
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import best_student, row_of_best, without_best


def end_lines(results: Sequence[TrialResult], seeds: Sequence[int]) -> list[str]:
    """Return the lines about the best student and its gain; ``seeds`` are those of the study."""
    best, row = best_student(results), row_of_best(results)
    if best is None or row is None:
        return [f"best:    {without_best(results)}"]
    score = f"{title_of(best.metric)} {value_text(best.metric, best.metrics[best.metric])}"
    found = f"best:    {best.name} seed={best.seed} (trial {best.id}): {score}, {best.checkpoint}"
    return [found, f"gain:    {gain_sentence(row, seeds)}"]
