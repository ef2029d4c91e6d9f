"""Give a study's run figures of its own, so that MLflow's table of runs answers whether distillation helped."""

from collections import Counter
from collections.abc import Sequence

from orchestrator.results.result import TrialResult
from orchestrator.results.summary import best_student, row_of_best
from orchestrator.tracking.cursor import BEST_PREFIX, metric_key

GAIN_PREFIX = "gain/"  # before the study's metric: of the best student's row over the same student trained alone
TRIALS, FINISHED, FAILED = "trials", "trials_finished", "trials_failed"


def study_metrics(results: Sequence[TrialResult], planned: int) -> dict[str, float]:
    """Return the figures of a study by their names in MLflow: counts of trials, the best student's result and its gain.

    Results and gains are in the metric's own unit, AP from 0 to 1, as in the trials' runs. The best result stands under
    the name that it has in its trial's run, so both share a column. Unknown figures are left out.
    """
    states = Counter(result.status for result in results)
    found = {TRIALS: float(planned), FINISHED: float(states["finished"]), FAILED: float(states["failed"])}
    best, row = best_student(results), row_of_best(results)
    if best is not None:
        found[metric_key(BEST_PREFIX + best.metric)] = best.best[best.metric]
    if best is not None and row is not None and row.gain is not None:
        found[metric_key(GAIN_PREFIX + best.metric)] = row.gain
    return found
