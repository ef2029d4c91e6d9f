"""Find the MLflow runs of studies and trials by the identity in their tags."""

from collections.abc import Iterable, Mapping
from typing import Literal

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.core.redact import redacted
from orchestrator.tracking.cursor import EPOCH
from orchestrator.tracking.faults import plainly
from orchestrator.tracking.pages import all_experiments, all_runs

STUDY, TRIAL, FINGERPRINT = "stillhouse.study", "stillhouse.trial", "stillhouse.study_fingerprint"
KIND, ROLE, STATUS, REASON = "stillhouse.kind", "stillhouse.role", "stillhouse.status", "stillhouse.reason"
METHOD, DATA, REVISION = "stillhouse.method", "stillhouse.dataset_digest", "stillhouse.git_revision"
LOCK_DIGEST = "stillhouse.lock_sha256"  # of the file that fixes the versions of all packages
PLANNED = "stillhouse.planned"  # of a study's run: how many trials there will be
DEVICES = "stillhouse.devices"  # of a trial: on how many it trains at once, which makes hours to device-hours
SEARCHED = "stillhouse.searched"  # of a study's run: the settings that it varies on purpose, a JSON list
POINT = "stillhouse.point"  # of a trial: what the study that was run last has searched, as tables name it
RESULTS = "stillhouse.results_sha256"  # of a study's run: of its results.json, written when that is there
BEST_TRIAL = "stillhouse.best_trial"  # of a study's run: the id of its best student, empty without one
EVENTS = "stillhouse.events"  # of a trial: its timeline, see timeline_tag.py
STUDENT = "stillhouse.student_sha256"  # of the best checkpoint, written when the whole student is there
DESCRIBED = "stillhouse.described"  # of a study's run, written when its files are there
MEMBER = "stillhouse.in."  # of a trial, with the first digits of the fingerprint of each study that it belongs to
RUN_AT = "stillhouse.run_at"  # of a study's run: when `run` or `sync` last wrote it, in milliseconds since 1970
PART = "stillhouse.part"  # of a study's run: one of several that are run under one name, not a version of the others
PARENT = "mlflow.parentRunId"  # MLflow's own pages nest runs by it, and it holds one run only
DIGITS = 12  # of a fingerprint, where it tells the studies of a store apart
RunKind = Literal["study", "trial"]


def find_or_create(
    client: MlflowClient, experiment: str, kind: RunKind, identity: str, name: str, tags: Mapping[str, str]
) -> Run:
    """Return the one run of a study or trial in an experiment.

    A request to create it may have been carried out although its reply was lost: a retry therefore searches first. If
    that request is still on its way then, a second run appears later; it stays empty and is deleted when it is seen.
    """
    key = FINGERPRINT if kind == "study" else TRIAL  # trials carry their study's fingerprint too
    wanted = f"tags.`{key}` = '{identity}' and tags.`{KIND}` = '{kind}'"
    found = sorted(client.search_runs([experiment], wanted, max_results=100), key=_precedence)
    for other in found[1:]:
        if is_empty(other):
            client.delete_run(other.info.run_id)
    if found:
        return found[0]
    clean = {tag: redacted(value) for tag, value in tags.items()} | {key: identity, KIND: kind}
    return client.create_run(experiment, run_name=name, tags=clean)


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


def find_runs(client: MlflowClient, trial_ids: Iterable[str]) -> dict[str, Run]:
    """Return the run of each of these trials, by trial id: of several, in any experiment, the one that is furthest."""
    wanted = set(trial_ids)
    with plainly():
        experiments = [experiment.experiment_id for experiment in all_experiments(client)]
        runs = list(all_runs(client, experiments, f"tags.`{KIND}` = 'trial'"))
    return {run.data.tags[TRIAL]: run for run in sorted(runs, key=progress) if run.data.tags.get(TRIAL) in wanted}


def progress(run: Run) -> tuple[bool, float]:
    """Return how far a run is, for sorting: studies that share a trial have one run of it each."""
    return run.data.tags.get(STATUS) == "finished", run.data.metrics.get(EPOCH, -1.0)


def _precedence(run: Run) -> tuple[bool, float, int, str]:
    """Order the runs of one identity: the one that holds most leads, of equals the oldest."""
    return is_empty(run), -run.data.metrics.get(EPOCH, -1.0), int(run.info.start_time), str(run.info.run_id)
