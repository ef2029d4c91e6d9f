"""Read a study's results for any command: from MLflow, and from the trials' directories where those know more."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.errors import OperationError, UserError
from orchestrator.plan import Plan, PlannedTrial, refreshed
from orchestrator.results.result import TrialResult
from orchestrator.store import Store
from orchestrator.tracking.client import open_results
from orchestrator.tracking.lacking import FROM_STORE, why_lacking
from orchestrator.tracking.results import result_of_run, result_on_disk
from orchestrator.tracking.runs import find_runs
from trainers.spec.record import DamagedFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """Hold one result a trial, in the plan's order. ``runs`` are MLflow's, by trial id, where those know most.

    ``client`` is ``None`` where MLflow could not be asked; ``note`` says in a sentence why numbers come from the store.
    """

    results: list[TrialResult]
    runs: Mapping[str, Run]
    client: MlflowClient | None
    note: str = ""


def read_study(plan: Plan, store: Store) -> Reading:
    """Return what is known of a study's trials, and log once why it is not all from MLflow.

    A trial that was trained is never a new one, whatever became of MLflow: it is away, of another version, its
    experiment or runs are deleted, or it has not been told yet. Raises as ``open_results`` does where the store holds no
    trial of the study either. Writes nothing.
    """
    found = _read(plan, store)
    if found.note:
        log.warning("%s", found.note)
    return found


def _read(plan: Plan, store: Store) -> Reading:
    begun = [trial for trial in map(refreshed, plan.trials) if trial.status != "new"]
    try:
        client = open_results(plan, store)
        runs = find_runs(client, [trial.id for trial in plan.trials])
        results, ahead = _furthest(plan, runs)
        note = why_lacking(plan, store, client, ahead) if ahead else ""
    except (OperationError, UserError) as error:
        if not begun:
            raise
        return Reading(
            [_on_disk(plan, trial) for trial in plan.trials], {}, None, f"{_plainly(error, store)}; {FROM_STORE}"
        )
    behind = {trial.id for trial in ahead}
    return Reading(results, {id_: run for id_, run in runs.items() if id_ not in behind}, client, note)


def _plainly(error: Exception, store: Store) -> str:
    if isinstance(error, UserError) and not store.database.exists():
        return f"the store {store.root} has no tracking database, and stillhouse sync STUDY writes one"
    return str(error)


def _furthest(plan: Plan, runs: Mapping[str, Run]) -> tuple[list[TrialResult], list[PlannedTrial]]:
    """Return each trial as MLflow or its directory has it, and the trials whose directory is further."""
    results, ahead = [], []
    for trial in plan.trials:
        recorded, kept = result_of_run(plan, trial, runs.get(trial.id)), _kept(plan, trial, runs.get(trial.id))
        is_ahead = kept is not None and _is_ahead(kept, recorded)
        results.append(kept if kept is not None and is_ahead else recorded)
        ahead += [trial] if is_ahead else []
    return results, ahead


def _kept(plan: Plan, trial: PlannedTrial, run: Run | None) -> TrialResult | None:
    """Return what the trial's directory says; ``None`` where it says nothing, or is damaged and MLflow has a run."""
    try:
        kept = result_on_disk(plan, trial, str(run.info.run_id) if run else None)
    except DamagedFile as error:
        if run is None:
            raise OperationError(str(error)) from error
        return None
    return None if kept.status == "new" else kept


def _on_disk(plan: Plan, trial: PlannedTrial) -> TrialResult:
    return _kept(plan, trial, None) or result_of_run(plan, trial, None)


def _is_ahead(kept: TrialResult, recorded: TrialResult) -> bool:
    """Tell whether a directory knows more than MLflow: more epochs, or with as many another end."""
    if recorded.mlflow_run_id is None:
        return True
    ours, theirs = (-1 if result.epoch is None else result.epoch for result in (kept, recorded))
    return ours > theirs or (ours == theirs and recorded.status not in (kept.status, "finished"))
