"""Write results as tables of pandas: one of trials, one of the rows that ``compare`` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.results.comparability import teacher_of
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import summary_json
from orchestrator.results.trial import counts
from trainers.schema.costs import COSTS, cost_value

if TYPE_CHECKING:
    from pandas import DataFrame

ROW_COLUMNS = ("name", "kind", "method", "n", "vs_none", "rank", "group")


def trial_frame(results: Sequence[TrialResult]) -> "DataFrame":
    """Return one line a trial, with columns for each searched key and each metric.

    ``best/`` are the metrics of the trial's best epoch, ``last/`` those of its last evaluation, as fractions; ``counts``
    says whether the trial enters means. ``cost/`` are parameters, multiply-adds and latency of its detector, if measured.
    pandas is loaded here.
    """
    from pandas import DataFrame

    return DataFrame([_trial(result) for result in results])


def row_frame(results: Sequence[TrialResult]) -> "DataFrame":
    """Return one line a row of trials that differ in the seed only: ``mean/`` and ``spread/`` of each metric.

    ``n`` is the number of seeds behind the mean, ``vs_none`` the gain over the student alone as a fraction; ``cost/`` as in
    ``trial_frame``.
    """
    from pandas import DataFrame

    costs = {result.id: _costs(result) for result in results}
    return DataFrame([_row(row) | costs[row["trials"][0]] for row in summary_json(results)["rows"]])


def _trial(result: TrialResult) -> dict[str, Any]:
    known = {"trial": result.id, "role": result.role, "method": result.method, "seed": result.seed}
    state = {"status": result.status, "epoch": result.epoch, "best_epoch": result.best_epoch, "counts": counts(result)}
    files = {"checkpoint": result.checkpoint, "mlflow_run_id": result.mlflow_run_id}
    own_teacher = result.role != "teacher" and result.method != "none"
    return {
        **known,
        "teacher": (teacher_of(result.settings) or None) if own_teacher else None,
        **{f"params.{key}": value for key, value in result.params.items()},
        **state,
        **{f"best/{key}": value for key, value in result.best.items()},
        **{f"last/{key}": value for key, value in result.last.items()},
        **_costs(result),
        **files,
    }


def _costs(result: TrialResult) -> dict[str, float | None]:
    """Return the costs of a trial's detector; trials of one row have one detector."""
    return {f"cost/{name}": cost_value(result.cost, name) for name in COSTS if result.cost}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **{key: row[key] for key in ROW_COLUMNS},
        **{f"params.{key}": value for key, value in row["params"].items()},
        **{f"{kind}/{key}": value for kind in ("mean", "spread") for key, value in row[kind].items()},
        "trials": row["trials"],
    }
