"""Report results of a study that MLflow lacks, with the reason and the command that restores them."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mlflow.entities import Experiment, Run, ViewType
from mlflow.tracking import MlflowClient

from orchestrator.core.redact import redacted
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.wording import counted
from orchestrator.tracking.client import tracking_uri
from orchestrator.tracking.cursor import EPOCH
from orchestrator.tracking.faults import plainly
from orchestrator.tracking.names import named
from orchestrator.tracking.pages import all_experiments, all_runs
from orchestrator.tracking.tags import FINGERPRINT, KIND, TRIAL

FROM_STORE = "numbers come from the trials' directories"
SYNC = "stillhouse sync STUDY delivers them"


@dataclass(frozen=True)
class Deleted:
    """Hold a run that is deleted in MLflow, by itself or with its experiment."""

    run: Run
    experiment: Experiment

    @property
    def to_restore(self) -> Experiment | Run:
        """Return the experiment where it is deleted as a whole, else the run."""
        return self.experiment if self.with_experiment else self.run

    @property
    def with_experiment(self) -> bool:
        """Return whether the whole experiment is deleted."""
        return bool(self.experiment.lifecycle_stage == "deleted")


def why_lacking(plan: Plan, store: Store, client: MlflowClient, trials: Sequence[PlannedTrial]) -> str:
    """Return one sentence about trials that are further in the store than in MLflow; empty when there are none."""
    deleted = find_deleted(client, f"tags.`{KIND}` = 'trial'", TRIAL, {trial.id for trial in trials})
    gone = [trial for trial in trials if trial.id in deleted]
    behind = [trial for trial in trials if trial.id not in deleted]
    parts = [_deleted_part(plan, store, gone, deleted)] if gone else []
    if behind:
        parts.append(f"MLflow lacks results of {named(behind)}, and {SYNC}")
    return f"{'; '.join(parts)}; {FROM_STORE}" if parts else ""


def study_is_deleted(plan: Plan, store: Store, client: MlflowClient, fingerprint: str) -> str:
    """Return a sentence when a study has no run in MLflow because that was deleted, else an empty text."""
    found = find_deleted(client, f"tags.`{KIND}` = 'study'", FINGERPRINT, {fingerprint}).get(fingerprint)
    if found is None:
        return ""
    what = f"experiment {found.experiment.name}" if found.with_experiment else f"run {found.run.info.run_name}"
    return f"{what} is deleted in MLflow: {restoring(tracking_uri(plan, store), found.to_restore)}"


def restoring(uri: str, found: Experiment | Run) -> str:
    """Return the command that restores deleted runs; MLflow's commands know it by its id only."""
    if isinstance(found, Experiment):
        what = f"experiments restore --experiment-id {found.experiment_id}"
    else:
        what = f"runs restore --run-id {found.info.run_id}"
    return f"MLFLOW_TRACKING_URI='{redacted(uri)}' mlflow {what} brings it back"


def find_deleted(client: MlflowClient, wanted: str, tag: str, values: Iterable[str]) -> dict[str, Deleted]:
    """Return deleted runs by the value of a tag, of several the one that is furthest."""
    known = set(values)
    with plainly():
        experiments = {one.experiment_id: one for one in all_experiments(client, ViewType.ALL)}
        runs = [*all_runs(client, list(experiments), wanted, ViewType.ALL)]
    found: dict[str, Deleted] = {}
    for run in sorted(runs, key=lambda run: float(run.data.metrics.get(EPOCH, -1.0))):
        one = Deleted(run, experiments[run.info.experiment_id])
        if run.data.tags.get(tag) in known and (one.with_experiment or run.info.lifecycle_stage == "deleted"):
            found[run.data.tags[tag]] = one
    return found


def deleted_trials(client: MlflowClient, shown: AbstractSet[str]) -> dict[str, list[Deleted]]:
    """Return the deleted runs of trials that have no other, by experiment. An empty run was deleted for having another."""
    experiments = {one.experiment_id: one for one in all_experiments(client, ViewType.ALL)}
    runs = all_runs(client, list(experiments), f"tags.`{KIND}` = 'trial'", ViewType.DELETED_ONLY)
    found: dict[str, list[Deleted]] = {}
    for run in runs:
        if run.data.tags.get(TRIAL) not in shown and run.data.metrics:
            found.setdefault(run.info.experiment_id, []).append(Deleted(run, experiments[run.info.experiment_id]))
    return found


def note_of_deleted(uri: str, group: Sequence[Deleted]) -> str:
    """Return a sentence about the deleted runs of an experiment."""
    first = group[0]
    what = counted(len({one.run.data.tags[TRIAL] for one in group}), "trial")
    if first.with_experiment:
        return (
            f"experiment {first.experiment.name} is deleted in MLflow with {what}: {restoring(uri, first.to_restore)}"
        )
    which = "" if len(group) == 1 else " (the first one)"
    return f"runs of {what} in experiment {first.experiment.name} are deleted in MLflow: {restoring(uri, first.to_restore)}{which}"


def _deleted_part(plan: Plan, store: Store, trials: Sequence[PlannedTrial], deleted: dict[str, Deleted]) -> str:
    first = deleted[trials[0].id]
    names = list(dict.fromkeys(deleted[trial.id].experiment.name for trial in trials))
    restore = restoring(tracking_uri(plan, store), first.to_restore)
    if first.with_experiment:
        return f"experiment {' and '.join(names)} is deleted in MLflow with {counted(len(trials), 'trial')}: {restore}"
    also = f", and {SYNC}" if len(trials) == 1 else f" (the first one), and {SYNC}"
    return f"MLflow's runs of {named(trials)} in experiment {names[0]} are deleted: {restore}{also}"
