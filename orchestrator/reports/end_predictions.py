"""Let the best students of a study predict at the end of its run, as ``tracking.predictions`` asks for it."""

import logging
from collections.abc import Sequence

from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan
from orchestrator.results.result import TrialResult
from orchestrator.results.trial import counts
from orchestrator.study.schema import EndPredictions
from orchestrator.study.wording import counted
from trainers.schema.error_text import last_line

log = logging.getLogger(__name__)


def why_not_predicted(plan: Plan, store: Store, results: Sequence[TrialResult]) -> str:
    """Make the predictions that the study asks for, and return why that failed; nothing where it did not."""
    try:
        predict_at_end(plan, store, results)
    except Exception as error:  # noqa: BLE001  all is trained: no fault of this step may fail the study
        return f"no predictions were recorded: {last_line(error)}; the next run tries again"
    return ""


def predict_at_end(
    plan: Plan, store: Store, results: Sequence[TrialResult], machine: Machine | None = None
) -> tuple[str, ...]:
    """Record predictions unless MLflow has them, and return the ids of the trials that predicted.

    Raises ``OperationError`` as ``orchestrator.reports.predict.predict`` does.
    """
    asked = plan.study.tracking.predictions
    if asked is None:
        return ()
    from orchestrator.reports.predict import Wanted, predict  # brings MLflow
    from trainers.schema.predictions import Limits

    trials = _trials(plan, results, asked)
    if not trials or _recorded(plan, store, trials, asked):
        return ()
    log.info("predictions: %s on %s", counted(len(trials), "trial"), counted(asked.images, "image"))
    limits = Limits(images=asked.images, budget_bytes=max(1, int(asked.budget_mb * 1e6)))
    predict(plan, store, Wanted(trials, limits=limits, curves=asked.curves), machine)
    return trials


def _trials(plan: Plan, results: Sequence[TrialResult], asked: EndPredictions) -> tuple[str, ...]:
    from orchestrator.reports.predict import default_trials

    if asked.trials == "all":
        return tuple(result.id for result in results if counts(result))
    return tuple(trial.id for trial in default_trials(plan, results))


def _recorded(plan: Plan, store: Store, trials: Sequence[str], asked: EndPredictions) -> bool:
    """Tell whether all these trials have predicted on so many images before."""
    from orchestrator.tracking.client import open_results
    from orchestrator.tracking.predictions import find_study, read_index

    client = open_results(plan, store, adding=True)
    study = find_study(client, plan.fingerprint)
    index = read_index(client, study) if study else None
    if index is None or index.asked != asked.images:
        return False
    return set(trials) <= set(index.curves if asked.curves else index.trials)
