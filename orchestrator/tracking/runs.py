"""Find the MLflow runs of studies and trials by the identity in their tags."""

from collections.abc import Iterable, Mapping
from typing import Literal

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.core.redact import redacted
from orchestrator.tracking.cursor import EPOCH
from orchestrator.tracking.faults import plainly
from orchestrator.tracking.pages import all_experiments, all_runs
from orchestrator.tracking.tags import DESCRIBED, FINGERPRINT, KIND, MEMBER, STATUS, TRIAL

DIGITS = 12  # of a fingerprint, where it tells the studies of a store apart
RunKind = Literal["study", "trial"]


def find_or_create(
    client: MlflowClient, experiment: str, kind: RunKind, identity: str, name: str, tags: Mapping[str, str]
) -> Run:
    """Return the one run of a study or trial in an experiment.

    A request to create it may have been carried out although its reply was lost: a retry therefore searches first. If
    that request is still on its way then, or another process creates the run too, there is a second one; it stays empty
    and is deleted when it is seen.
    """
    key = FINGERPRINT if kind == "study" else TRIAL  # trials carry their study's fingerprint too
    wanted = f"tags.`{key}` = '{identity}' and tags.`{KIND}` = '{kind}'"
    found = _found(client, experiment, wanted)
    for other in found[1:]:
        if is_empty(other):
            client.delete_run(other.info.run_id)
    if found:
        return found[0]
    clean = {tag: redacted(value) for tag, value in tags.items()} | {key: identity, KIND: kind}
    created = client.create_run(experiment, run_name=name, tags=clean)
    return next(iter(_found(client, experiment, wanted)), created)


def _found(client: MlflowClient, experiment: str, wanted: str) -> list[Run]:
    """Return the runs of one identity; every process that sees the same ones takes the same first one."""
    return sorted(client.search_runs([experiment], wanted, max_results=100), key=_precedence)


def member_tag(fingerprint: str) -> str:
    """Return the tag that a trial's run carries for a study; each study has a tag of its own, so two can write at once."""
    return f"{MEMBER}{fingerprint[:DIGITS]}"


def of_study(fingerprint: str) -> str:
    """Return the search for all trials of a study, and for nothing else, in MLflow's syntax."""
    return f"tags.`{member_tag(fingerprint)}` = 'yes'"


def is_empty(run: Run) -> bool:
    """Return whether a run was created and nothing more: a trial's has parameters next, a study's a tag."""
    begun = run.data.metrics or run.data.params or DESCRIBED in run.data.tags
    return not begun and run.info.status == "RUNNING"


def last_steps(run: Run) -> dict[str, int]:
    """Return the last step that MLflow has of each of the run's metrics."""
    return {metric.key: metric.step for metric in run.data.to_proto().metrics}


def find_runs(client: MlflowClient, trial_ids: Iterable[str], preferred: str = "") -> dict[str, Run]:
    """Return the run of each of these trials, by trial id: of several, in any experiment, the one that is furthest.

    Studies that share a trial have one run of it in each of their experiments. Of equals the one that carries the tag
    ``preferred`` is taken, such as ``member_tag`` of the study that asks.
    """
    wanted = set(trial_ids)
    with plainly():
        experiments = [experiment.experiment_id for experiment in all_experiments(client)]
        runs = list(all_runs(client, experiments, f"tags.`{KIND}` = 'trial'"))

    def order(run: Run) -> tuple[tuple[bool, float], bool]:
        return progress(run), preferred in run.data.tags

    return {run.data.tags[TRIAL]: run for run in sorted(runs, key=order) if run.data.tags.get(TRIAL) in wanted}


def progress(run: Run) -> tuple[bool, float]:
    """Return how far a run is, for sorting: studies that share a trial have one run of it each."""
    return run.data.tags.get(STATUS) == "finished", run.data.metrics.get(EPOCH, -1.0)


def _precedence(run: Run) -> tuple[bool, float, int, str]:
    """Order the runs of one identity: the one that holds most leads, of equals the oldest."""
    return is_empty(run), -run.data.metrics.get(EPOCH, -1.0), int(run.info.start_time), str(run.info.run_id)
