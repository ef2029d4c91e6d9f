"""Read a study's results for any command: from MLflow where it agrees with the trials' directories, else as ``deciding`` says."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.result import TrialResult
from orchestrator.tracking.client import open_results
from orchestrator.tracking.deciding import Deciding, holds_results
from orchestrator.tracking.lacking import FROM_STORE, why_lacking
from orchestrator.tracking.results import result_of_run, result_on_disk
from orchestrator.tracking.runs import find_runs, member_tag
from trainers.schema.record import DamagedFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialResults:
    """Hold one result a trial, in the plan's order. ``runs`` are MLflow's, by trial id, where those count.

    ``client`` is ``None`` where MLflow could not be asked; ``note`` describes the differences between the two in a
    sentence, and which of them counts.
    """

    results: list[TrialResult]
    runs: Mapping[str, Run]
    client: MlflowClient | None
    note: str = ""


def read_study(plan: Plan, store: Store) -> TrialResults:
    """Return the results of a study's trials, and log once why some are not from MLflow.

    A trained trial is never reported as new, even if MLflow is away, has another version, has deleted its experiment or
    runs, or has not received it yet. Raises as ``open_results`` does where the store holds no trial of the study
    either. Writes nothing.
    """
    found = _read(plan, store)
    if found.note:
        log.warning("%s", found.note)
    return found


def _read(plan: Plan, store: Store) -> TrialResults:
    try:
        client = open_results(plan, store)
        runs = find_runs(client, [trial.id for trial in plan.trials], member_tag(plan.fingerprint))
        decided = _decide(plan, runs)
        lacking = why_lacking(plan, store, client, decided.lacking) if decided.lacking else ""
    except (OperationError, UserError) as error:
        results = [_on_disk(plan, trial) for trial in plan.trials]
        if not any(map(holds_results, results)):
            raise
        return TrialResults(results, {}, None, f"{_plainly(error, store)}; {FROM_STORE}")
    counting = {id_: run for id_, run in runs.items() if id_ not in decided.of_the_store}
    note = "; ".join(filter(None, [lacking, *decided.sentences]))
    return TrialResults(decided.results, counting, client, note)


def further_in_mlflow(plan: Plan, store: Store) -> list[str]:
    """List in sentences the trials that MLflow has more of than the store, for commands that go by the store alone.

    An MLflow that is not there, or does not answer, has nothing to say.
    """
    try:
        client = open_results(plan, store)
        return _decide(
            plan, find_runs(client, [trial.id for trial in plan.trials], member_tag(plan.fingerprint))
        ).sentences
    except (OperationError, UserError):
        return []


def _plainly(error: Exception, store: Store) -> str:
    if isinstance(error, UserError) and not store.database.exists():
        return f"the store {store.root} has no tracking database, and stillhouse sync STUDY writes one"
    return str(error)


def _decide(plan: Plan, runs: Mapping[str, Run]) -> Deciding:
    """Return for each trial the record that counts; directories are read last, so that no live trial seems cut back."""
    decided = Deciding()
    for trial in plan.trials:
        run = runs.get(trial.id)
        recorded = result_of_run(plan, trial, run)
        try:
            decided.add(trial, _kept(plan, trial, recorded.mlflow_run_id), recorded)
        except DamagedFile as error:
            if run is None:
                raise OperationError(str(error)) from error
            decided.add_damaged(str(error), recorded)
    return decided


def _kept(plan: Plan, trial: PlannedTrial, run_id: str | None) -> TrialResult | None:
    """Return the result in the trial's directory; ``None`` where it says nothing."""
    kept = result_on_disk(plan, trial, run_id)
    return None if kept.status == "new" else kept


def _on_disk(plan: Plan, trial: PlannedTrial) -> TrialResult:
    try:
        return result_on_disk(plan, trial, None)
    except DamagedFile as error:
        raise OperationError(str(error)) from error
