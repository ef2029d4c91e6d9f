"""Write studies and trials to MLflow: one run per study, one child run per trial, every value once."""

import http.client
import json
import logging
import re
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from pydantic import BaseModel

from orchestrator.digests import dataset_digest
from orchestrator.errors import OperationError, UserError
from orchestrator.plan import Plan, PlannedTrial
from orchestrator.redact import redacted, redacted_data
from orchestrator.store import Store, require_sound_database
from orchestrator.tracking.names import flat_params, run_name
from trainers.spec.record import BEST, CONFIG, Outcome, Record, best_record, read_history, read_outcome, read_status

STUDY, TRIAL, FINGERPRINT = "stillhouse.study", "stillhouse.trial", "stillhouse.study_fingerprint"
KIND, ROLE, STATUS, REASON = "stillhouse.kind", "stillhouse.role", "stillhouse.status", "stillhouse.reason"
METHOD, DATA, REVISION = "stillhouse.method", "stillhouse.dataset_digest", "stillhouse.git_revision"
EPOCH = "epoch"  # logged with every record: where it stands, the record stands
PACKAGES = ("torch", "torchvision", "mmdet", "mmengine", "ray", "mlflow", "faster-coco-eval", "stillhouse")
STUDENT_FOLDER = "student"  # of a run's artifacts: config and best checkpoint
MLFLOW_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
CONNECT_TIMEOUT_S = 10
LONGEST_PARAM = 6000  # characters, MLflow's own limit
SERVERS = ("http://", "https://", "databricks")
SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)")
log = logging.getLogger(__name__)


@contextmanager
def plainly() -> Iterator[None]:
    """Turn an error of MLflow into ``OperationError``; nothing is lost by it, for the next run copies what is missing."""
    try:
        yield
    except MlflowException as error:
        raise OperationError(f"the tracking store failed: {first_line(error)}") from error


class Tracker:
    """Bring MLflow up to date with what trials have on disk.

    Trial directories are the record, MLflow the copy: ``sync`` writes what MLflow lacks and may be called any number
    of times, from one thread at a time. A run is found again by its trial's identity, so a trial has one run whatever
    happens in between. Every method raises ``OperationError`` when MLflow fails.
    """

    @plainly()
    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan = plan
        self._client = open_client(plan, store)
        self._experiment = self._experiment_id(plan.study.tracking.experiment or plan.study.name, store)
        self._provenance = {
            DATA: dataset_digest(plan.study.dataset),
            **git_revision(),
        }  # one for all: COCO takes seconds
        self._parent = self._find_or_create("study", plan.fingerprint, plan.study.name, self._study_tags())
        self._reopen_study()
        self._write_study(self._parent)
        self._runs: dict[str, str] = {}
        self._logged: dict[str, int] = {}
        self._settled: set[str] = set()

    @property
    def study_run(self) -> str:
        """Return the id of the study's own run."""
        return self._parent

    @plainly()
    def run_id(self, trial: PlannedTrial) -> str:
        """Return the id of the trial's run, creating it when there is none."""
        if trial.id not in self._runs:
            run_id = self._find_or_create("trial", trial.id, run_name(trial), self._trial_tags(trial))
            self._runs[trial.id] = run_id
            self._logged[trial.id] = self._last_logged(run_id)
            self._write_params(run_id, trial)
        return self._runs[trial.id]

    @plainly()
    def sync(self, trial: PlannedTrial) -> None:
        """Write the trial's records, and its outcome when it has one, as far as MLflow lacks them."""
        if trial.id in self._settled:
            return
        run_id = self.run_id(trial)
        history = read_history(trial.directory)
        for record in history:
            if record.epoch > self._logged[trial.id]:
                self._client.log_batch(run_id, metrics=list(as_metrics(record)))
                self._logged[trial.id] = record.epoch
        outcome = read_outcome(trial.directory)
        if outcome is not None:
            self._settle(run_id, trial, history, outcome)

    @plainly()
    def finish(self) -> None:
        """End the study's run: finished when all trials ended, failed when one failed, killed when it ends early."""
        statuses = [read_status(trial.directory) for trial in self._plan.trials]
        if "failed" in statuses:
            status = "FAILED"
        else:
            status = "KILLED" if {"new", "unfinished"} & set(statuses) else "FINISHED"
        if self._client.get_run(self._parent).info.status != status:
            self._client.set_terminated(self._parent, status)

    def _reopen_study(self) -> None:
        """Let the run of a study that failed or was cut short go on."""
        if self._client.get_run(self._parent).info.status in ("FAILED", "KILLED"):
            self._client.update_run(self._parent, status="RUNNING")

    def _settle(self, run_id: str, trial: PlannedTrial, history: list[Record], outcome: Outcome) -> None:
        written = self._client.get_run(run_id).data.tags
        if (written.get(STATUS), written.get(REASON)) != (outcome.status, outcome.reason):
            self._write_result(run_id, trial, history)
            tags = [RunTag(STATUS, outcome.status), RunTag(REASON, outcome.reason)]
            self._client.log_batch(run_id, tags=tags)
            self._client.set_terminated(run_id, MLFLOW_STATUS[outcome.status])
        self._settled.add(trial.id)

    def _write_result(self, run_id: str, trial: PlannedTrial, history: list[Record]) -> None:
        best = best_record(history)
        if best is not None:
            values = sorted({**best.metrics, EPOCH: float(best.epoch)}.items())
            metrics = [Metric(f"best/{key}", value, _millis(best), best.epoch) for key, value in values]
            self._client.log_batch(run_id, metrics=metrics)
        for name, folder in ((BEST, STUDENT_FOLDER), (CONFIG, STUDENT_FOLDER), ("error.txt", None)):
            if (trial.directory / name).exists():
                self._client.log_artifact(run_id, str(trial.directory / name), folder)

    def _experiment_id(self, name: str, store: Store) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        serves = (self._plan.study.tracking.uri or "").startswith(SERVERS)  # a server knows where its artifacts go
        location = None if serves else store.artifacts.as_uri()
        return str(self._client.create_experiment(name, artifact_location=location))

    def _find_or_create(self, kind: Literal["study", "trial"], identity: str, name: str, tags: dict[str, str]) -> str:
        key = FINGERPRINT if kind == "study" else TRIAL  # trials carry their study's fingerprint too
        wanted = f"tags.`{key}` = '{identity}' and tags.`{KIND}` = '{kind}'"
        found = self._client.search_runs([self._experiment], wanted, max_results=1)
        if found:
            return str(found[0].info.run_id)
        identifying = {key: identity, KIND: kind}
        clean = {tag: redacted(value) for tag, value in tags.items()} | identifying
        return str(self._client.create_run(self._experiment, run_name=name, tags=clean).info.run_id)

    def _last_logged(self, run_id: str) -> int:
        return max((metric.step for metric in self._client.get_metric_history(run_id, EPOCH)), default=-1)

    def _study_tags(self) -> dict[str, str]:
        study = self._plan.study
        own = {STUDY: study.name, "mlflow.note.content": study.description}
        return {**study.tracking.tags, **own, **self._provenance}

    def _trial_tags(self, trial: PlannedTrial) -> dict[str, str]:
        own = {STUDY: self._plan.study.name, ROLE: trial.role, METHOD: trial.spec.method.kind}
        return {
            **self._plan.study.tracking.tags, **own, "mlflow.parentRunId": self._parent,
            FINGERPRINT: self._plan.fingerprint, **self._provenance,
        }  # fmt: skip

    def _write_study(self, run_id: str) -> None:
        self._client.log_text(run_id, shown(self._plan.study), "study.json")
        self._client.log_text(run_id, json.dumps(package_versions(), indent=2), "versions.json")

    def _write_params(self, run_id: str, trial: PlannedTrial) -> None:
        """Log the trial's parameters; MLflow refuses to change one, and a trial's never change."""
        params = [Param(key, value[:LONGEST_PARAM]) for key, value in sorted(flat_params(trial).items())]
        self._client.log_batch(run_id, params=params)
        self._client.log_text(run_id, shown(trial.spec), "trial.json")
        self._client.log_text(run_id, json.dumps(package_versions(), indent=2), "versions.json")


def open_client(plan: Plan, store: Store) -> MlflowClient:
    """Return a client of the study's tracking store; raise ``OperationError`` when it does not answer."""
    uri = plan.study.tracking.uri or store.tracking_uri
    require_answer(uri)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    try:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    except Exception as error:  # SQLAlchemy, requests and MLflow each raise their own
        raise OperationError(f"the tracking store {uri} does not answer: {first_line(error)}") from error
    return client


def open_results(plan: Plan, store: Store) -> MlflowClient:
    """Return a client that reads results; raise ``UserError`` where there are none, instead of creating a database."""
    if plan.study.tracking.uri is None and not store.database.exists():
        raise UserError(f"the store {store.root} holds no results yet: run the study first, or name another --store")
    return open_client(plan, store)


def require_answer(uri: str) -> None:
    """Raise ``OperationError`` at once for a store that cannot work: MLflow's client would retry for minutes."""
    if match := SQLITE.match(uri):
        require_usable_file(Path(match[1]).absolute())
    if uri.startswith(SERVERS[:2]):
        require_server(uri)


def require_usable_file(path: Path) -> None:
    """Raise ``OperationError`` when an SQLite database is damaged or lies in a folder that does not exist."""
    if not path.parent.is_dir():
        raise OperationError(f"the tracking database {path} cannot be created: there is no folder {path.parent}")
    require_sound_database(path)


def require_server(uri: str) -> None:
    """Raise ``OperationError`` when no MLflow server answers at an HTTP address."""
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=CONNECT_TIMEOUT_S) as answer:
            text = answer.read(64)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OperationError(f"no MLflow server answers at {uri}: {getattr(error, 'reason', None) or error}") from error
    if text.strip() != b"OK":
        raise OperationError(f"something answers at {uri}, but it is not an MLflow server")


def as_metrics(record: Record) -> Iterator[Metric]:
    """Yield a record as MLflow metrics with the epoch as step; values that are not finite stay as they are."""
    values = {EPOCH: float(record.epoch), **record.metrics, **record.timing}
    for key, value in sorted(values.items()):
        yield Metric(key, value, _millis(record), record.epoch)


def shown(section: BaseModel) -> str:
    """Return a section as JSON text without the secrets that it may hold, such as a password in an address."""
    return json.dumps(redacted_data(section.model_dump(mode="json")), indent=2)


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_revision() -> dict[str, str]:
    """Return the revision of the checkout that this code runs from as a tag, nothing outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {REVISION: answer.stdout.strip()}


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type's name when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def find_runs(client: MlflowClient, trial_ids: Iterable[str]) -> dict[str, Run]:
    """Return the run of each of these trials, by trial id: of several, in any experiment, the one that is furthest."""
    wanted = set(trial_ids)
    with plainly():
        experiments = [e.experiment_id for e in client.search_experiments()]
        runs = client.search_runs(experiments, f"tags.`{KIND}` = 'trial'", max_results=50_000)
    return {run.data.tags[TRIAL]: run for run in sorted(runs, key=progress) if run.data.tags.get(TRIAL) in wanted}


def progress(run: Run) -> tuple[bool, float]:
    """Return how far a run is, for sorting: studies that share a trial have one run of it each."""
    return run.data.tags.get(STATUS) == "finished", run.data.metrics.get(EPOCH, -1.0)


def _millis(record: Record) -> int:
    return int(record.wall_time * 1000)
