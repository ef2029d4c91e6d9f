"""Bring MLflow up to date with trials' directories: one run per study, one per trial, every point once."""

import functools
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from orchestrator.core.errors import OperationError
from orchestrator.core.redact import redacted, redacted_data
from orchestrator.core.store import Store
from orchestrator.plan.digests import dataset_digest
from orchestrator.plan.labels import point_text
from orchestrator.plan.plan import Plan
from orchestrator.plan.split_scores import read_scores
from orchestrator.plan.totals import totals
from orchestrator.plan.trial import PAUSED, PlannedTrial, status_of
from orchestrator.results.detector_costs import says_more
from orchestrator.results.result import TrialResult
from orchestrator.results.settings import searched_settings
from orchestrator.results.summary import summary_json
from orchestrator.study.fidelity import full_name
from orchestrator.tracking.client import open_client, tracking_uri
from orchestrator.tracking.cost_tag import cost_of_tag, write_cost
from orchestrator.tracking.cursor import MetricPoint, advance, best_points, missing, points_of, portions, test_points
from orchestrator.tracking.datasets import dataset_inputs
from orchestrator.tracking.faults import TrackingRefused, Unreachable, plainly
from orchestrator.tracking.lacking import restoring
from orchestrator.tracking.models import link_models
from orchestrator.tracking.names import flat_params, run_name
from orchestrator.tracking.notes import NOTE, page_of_study, study_note, trial_note
from orchestrator.tracking.prefix_tag import prefix_text
from orchestrator.tracking.probe import require_no_refusal
from orchestrator.tracking.provenance import git_revision, lock_digest, package_versions, shown
from orchestrator.tracking.results import read_results
from orchestrator.tracking.runs import find_or_create, last_steps, member_tag
from orchestrator.tracking.server_folder import warn_of_server_folder
from orchestrator.tracking.study_metrics import study_metrics
from orchestrator.tracking.tags import (
    BEST_TRIAL,
    COST,
    DATA,
    DESCRIBED,
    DEVICES,
    EVENTS,
    FINGERPRINT,
    KIND_OF_WORK,
    LOCK_DIGEST,
    METHOD,
    METRIC,
    ON_GPU,
    PARENT,
    PART,
    PLANNED,
    POINT,
    PREFIX,
    REASON,
    RESULTS,
    REVISION,
    ROLE,
    RUN_AT,
    SEARCHED,
    SHORT_OF,
    STATUS,
    STUDENT,
    STUDY,
    TEST_DATA,
    TRAINING,
)
from orchestrator.tracking.timeline_tag import timeline_text
from trainers.schema.digest import file_digest
from trainers.schema.events import read_events
from trainers.schema.record import (
    BEST,
    CONFIG,
    COUNTS,
    ERROR,
    WEIGHTS,
    Outcome,
    Record,
    read_history,
    read_outcome,
    read_status,
    taken_over,
)
from trainers.schema.status import is_over

RESULTS_FILE = "results.json"  # of a study's run: rows and best student
STUDENT_FOLDER = "student"  # of a run's artifacts: config and best checkpoint
MLFLOW_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
SERVERS = ("http://", "https://", "databricks")  # they know where their artifacts go
LONGEST_PARAM, LONGEST_REASON = 6000, 5000  # characters; MLflow's limits


@dataclass
class Copy:
    """Hold MLflow's copy of one trial: its run, and the last step of each metric."""

    run_id: str
    logged: dict[str, int]
    events: str = ""  # the timeline that stands in its tag
    test_data: str = ""  # the digest of the test split whose metrics are there
    cost: str = ""  # what its detector costs, as it stands in its tag
    status: str = ""  # the state that stands in its tag
    prefix: str = ""  # who has made its first epochs, as it stands in its tag
    ended: tuple[Outcome, int] | None = None  # the outcome that stands there, and the number of records before it


class Tracker:
    """Write missing results to MLflow.

    Trial directories are the spool, MLflow the copy, and MLflow itself says how far the copy is: nothing that could
    disagree with it is kept elsewhere. Every method may be called any number of times, after any failure and by the
    next process, from one thread at a time and by one process in a store. Constructing one does nothing; the others
    raise ``Unreachable`` when MLflow is away, ``TrackingRefused`` when it refuses until the user changes something, and
    ``OperationError`` when it refuses one request.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._client: MlflowClient | None = None
        self._experiment, self._parent = "", ""
        self._copies: dict[str, Copy] = {}
        self.sent = 0  # points that MLflow has taken from this object
        self.address = redacted(tracking_uri(plan, store))

    @property
    def study_run(self) -> str:
        """Return the id of the study's own run."""
        self.connect()
        return self._parent

    def run_id(self, trial: PlannedTrial) -> str:
        """Return the id of the trial's run, creating it when there is none."""
        with plainly():
            return self._copy(trial).run_id

    @property
    def known_runs(self) -> dict[str, str]:
        """Return the ids of trials' runs as far as they are known without asking MLflow."""
        return {trial_id: copy.run_id for trial_id, copy in dict(self._copies).items()}

    def waiting(self, trial: PlannedTrial) -> int:
        """Return how many of the trial's points MLflow is not known to have; asks nobody."""
        copy = self._copies.get(trial.id)
        return len(missing(points_of(read_history(trial.directory)), copy.logged if copy else {}))

    def connect(self) -> MlflowClient:
        """Find or create the study's experiment and run, and return the client."""
        if self._client is None:
            client = open_client(self._plan, self._store)
            with self._plainly():
                self._experiment = self._experiment_id(client)
                found = client.get_experiment(self._experiment)
                warn_of_server_folder(tracking_uri(self._plan, self._store), found.name, found.artifact_location)
                self._parent = self._open_study(client)
            self._client = client
        return self._client

    def sync(self, trial: PlannedTrial) -> None:
        """Write the trial's records, and its outcome when it has one, as far as MLflow lacks them."""
        try:
            with self._plainly():
                self._sync(trial)
        except Unreachable:
            self._copies.pop(trial.id, None)  # what arrived of the last request is for MLflow to say
            raise
        except OperationError:
            self._copies, self._client = {}, None  # a run or experiment was deleted: look for all of them again
            raise

    def finish(self) -> None:
        """End the study's run: finished when all trials ended, failed when one failed, killed when it ends early."""
        client = self.connect()
        statuses = [read_status(trial.directory) for trial in self._plan.trials]
        if "failed" in statuses:
            status = "FAILED"
        else:
            status = "FINISHED" if all(map(is_over, statuses)) else "KILLED"
        with self._plainly():
            self._tell_costs(client)
            run = self._study(client)  # asked again, for the sake of a second run that came late
            self._lead_to_trials(client, run)
            self._summarise(client, run)
            if run.data.tags.get(PLANNED) != self._planned:  # a search has come to further trials
                client.set_tag(run.info.run_id, PLANNED, self._planned)
            if run.info.status != status:
                client.set_terminated(run.info.run_id, status)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Turn errors of MLflow into ours, and ask a server that seems away whether it refuses."""
        try:
            with plainly():
                yield
        except Unreachable:
            require_no_refusal(tracking_uri(self._plan, self._store))
            raise

    def _summarise(self, client: MlflowClient, study: Run) -> None:
        """Keep the study's rows and its best student with its run, as ``compare --json`` gives them, and its figures."""
        results = read_results(self._plan, client)
        self._tell_figures(client, study, results)
        content = summary_json(results)
        text = json.dumps(redacted_data(content), indent=2, allow_nan=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if study.data.tags.get(RESULTS) != digest:
            client.log_text(study.info.run_id, text, RESULTS_FILE)
            tags = {BEST_TRIAL: content["best"] or "", RESULTS: digest}
            client.log_batch(study.info.run_id, tags=[RunTag(tag, value) for tag, value in tags.items()])

    def _tell_figures(self, client: MlflowClient, study: Run, results: Sequence[TrialResult]) -> None:
        """Write the study's own metrics as far as MLflow has others."""
        figures = study_metrics(results, int(self._planned))
        lacking = {key: value for key, value in figures.items() if study.data.metrics.get(key) != value}
        if lacking:
            now = int(time.time() * 1000)
            client.log_batch(study.info.run_id, metrics=[Metric(key, value, now, 0) for key, value in lacking.items()])

    def _lead_to_trials(self, client: MlflowClient, study: Run) -> None:
        """Write links to the trials and to the study's page below its description."""
        present = study.data.tags.get(NOTE, "")
        runs = [copy.run_id for copy in self._copies.values()]
        page = page_of_study(self._plan.study.tracking.dashboard, study.info.run_id)
        note = study_note(present, self._experiment, self._plan.fingerprint, runs, page)
        if note != present:
            client.set_tag(study.info.run_id, NOTE, note)

    def _sync(self, trial: PlannedTrial) -> None:
        outcome = read_outcome(trial.directory)
        history = read_history(trial.directory)  # after the outcome: its best values follow from the whole of it
        copy = self._copy(trial)
        self._tell_test(copy, trial)
        if outcome is not None and copy.ended == (outcome, len(history)):
            return
        self._send(copy, points_of(history))
        self._tell_events(copy, trial)
        self._tell_prefix(copy, history)
        if outcome is not None:
            self._settle(copy, trial, history, outcome)
        else:
            self._tell_pause(copy, trial)

    def _send(self, copy: Copy, points: Iterable[MetricPoint]) -> None:
        client = self.connect()
        for portion in portions(missing(points, copy.logged)):
            client.log_batch(copy.run_id, metrics=[Metric(*point) for point in portion])
            advance(copy.logged, portion)
            self.sent += len(portion)

    def _tell_events(self, copy: Copy, trial: PlannedTrial) -> None:
        """Write the trial's timeline where it has grown; the same text any number of times is the same tag."""
        text = timeline_text(read_events(trial.directory))
        if text != copy.events:
            self.connect().set_tag(copy.run_id, EVENTS, text)
            copy.events = text

    def _tell_prefix(self, copy: Copy, history: list[Record]) -> None:
        """Write which trial has made the first epochs."""
        text = prefix_text(taken_over(history))
        if text != copy.prefix:
            self.connect().set_tag(copy.run_id, PREFIX, text)
            copy.prefix = text

    def _tell_pause(self, copy: Copy, trial: PlannedTrial) -> None:
        """Write that a trial waits for its user; one that goes on has neither paused nor failed any more."""
        status = PAUSED if status_of(trial.directory) == PAUSED else ""
        if copy.status == status or is_over(copy.status):
            return
        client = self.connect()
        client.log_batch(copy.run_id, tags=[RunTag(STATUS, status), RunTag(REASON, "")])
        if copy.status == "failed":
            client.update_run(copy.run_id, status="RUNNING")
        copy.status, copy.ended = status, None

    def _tell_test(self, copy: Copy, trial: PlannedTrial) -> None:
        """Write the metrics on the test split, then the digest of its data: without that they are sent again."""
        scores = read_scores(trial.directory)
        if scores is not None and scores.data != copy.test_data:
            self._send(copy, test_points(scores, copy.logged))
            self.connect().set_tag(copy.run_id, TEST_DATA, scores.data)
            copy.test_data = scores.data

    def _tell_costs(self, client: MlflowClient) -> None:
        """Write the costs of the trials' detectors that are known and that MLflow lacks."""
        for trial in self._plan.trials:
            copy, cost = self._copies.get(trial.id), self._plan.planner.costs.of(trial.spec.student)
            if copy is not None and cost is not None and says_more(cost, cost_of_tag(copy.cost)):
                write_cost(client, copy.run_id, cost, int(time.time() * 1000))
                copy.cost = cost.model_dump_json()

    def _settle(self, copy: Copy, trial: PlannedTrial, history: list[Record], outcome: Outcome) -> None:
        """Write how the trial ended: best values and student first, so that who reads the status finds them."""
        client = self.connect()
        written = self._trial_run(client, trial)
        if written.info.run_id != copy.run_id:
            raise Unreachable(f"the tracking store failed: trial {trial.id} has got another run, which comes first")
        wanted = {STATUS: outcome.status, REASON: redacted(outcome.reason)[:LONGEST_REASON]}
        ends_so = written.info.status == MLFLOW_STATUS[outcome.status]
        if not ends_so or any(written.data.tags.get(tag) != value for tag, value in wanted.items()):
            self._send(copy, best_points(history))
            self._write_files(client, written, trial)
            if outcome.status != "failed":  # the next run goes on with it
                link_models(client, self._experiment, copy.run_id, trial, history, STUDENT_FOLDER)
            client.log_batch(copy.run_id, tags=[RunTag(tag, value) for tag, value in wanted.items()])
            client.set_terminated(copy.run_id, MLFLOW_STATUS[outcome.status])
        copy.status, copy.ended = outcome.status, (outcome, len(history))

    def _write_files(self, client: MlflowClient, run: Run, trial: PlannedTrial) -> None:
        """Upload the student, then say which it is: without that, or with another, it counts as not there."""
        run_id = run.info.run_id
        if (trial.directory / BEST).exists():
            digest = file_digest(trial.directory / BEST)
            if run.data.tags.get(STUDENT) != digest:
                client.log_artifact(run_id, str(trial.directory / BEST), STUDENT_FOLDER)
            if (trial.directory / CONFIG).exists():
                client.log_artifact(run_id, str(trial.directory / CONFIG), STUDENT_FOLDER)
            client.set_tag(run_id, STUDENT, digest)
        for name in (COUNTS, WEIGHTS):
            if (trial.directory / name).exists():
                client.log_artifact(run_id, str(trial.directory / name))
        if (trial.directory / ERROR).exists():
            client.log_text(run_id, redacted((trial.directory / ERROR).read_text(errors="replace")), ERROR)

    def _copy(self, trial: PlannedTrial) -> Copy:
        if trial.id not in self._copies:
            client = self.connect()
            run = self._trial_run(client, trial)
            if not run.data.params:
                self._describe(client, run.info.run_id, trial)
            self._join(client, run, trial)
            self._copies[trial.id] = Copy(
                str(run.info.run_id),
                last_steps(run),
                run.data.tags.get(EVENTS, ""),
                run.data.tags.get(TEST_DATA, ""),
                run.data.tags.get(COST, ""),
                run.data.tags.get(STATUS, ""),
                run.data.tags.get(PREFIX, ""),
            )
        return self._copies[trial.id]

    def _join(self, client: MlflowClient, run: Run, trial: PlannedTrial) -> None:
        """Add the trial's run to this study too; MLflow's pages nest it below the study that was run last."""
        absent = {tag: value for tag, value in self._membership(trial).items() if run.data.tags.get(tag) != value}
        if absent:
            client.log_batch(run.info.run_id, tags=[RunTag(tag, value) for tag, value in absent.items()])

    def _membership(self, trial: PlannedTrial) -> dict[str, str]:
        return {
            member_tag(self._plan.fingerprint): "yes",
            PARENT: self._parent,
            POINT: redacted(point_text(trial.params))[:LONGEST_REASON],
        }

    def _describe(self, client: MlflowClient, run_id: str, trial: PlannedTrial) -> None:
        """Write the trial's description; the parameters come last, as the mark that the rest is there."""
        client.log_text(run_id, shown(trial.spec), "trial.json")
        client.log_text(run_id, json.dumps(package_versions(), indent=2), "versions.json")
        client.log_inputs(run_id, dataset_inputs(trial.spec.dataset, self._provenance[DATA]))
        params = [Param(key, value[:LONGEST_PARAM]) for key, value in sorted(flat_params(trial).items())]
        for begin in range(0, len(params), 100):  # MLflow's limit
            client.log_batch(run_id, params=params[begin : begin + 100])

    def _trial_run(self, client: MlflowClient, trial: PlannedTrial) -> Run:
        note = trial_note(trial, self._plan.study.name)
        own = {STUDY: self._plan.study.name, ROLE: trial.role, METHOD: trial.spec.method.kind, NOTE: note}
        placement = self._plan.placement(trial.role)
        tags = {
            **self._plan.study.tracking.tags, **own, **self._membership(trial),
            FINGERPRINT: self._plan.fingerprint, DEVICES: str(placement.workers),
            ON_GPU: "yes" if placement.cuda else "no", **self._provenance,
        }  # fmt: skip
        return find_or_create(client, self._experiment, "trial", trial.id, run_name(trial), tags)

    def _study(self, client: MlflowClient) -> Run:
        study = self._plan.study
        own = {STUDY: study.name, NOTE: study.description, PLANNED: self._planned, **self._provenance}
        tags = {**study.tracking.tags, **own, **({PART: "yes"} if self._plan.part else {})}
        return find_or_create(client, self._experiment, "study", self._plan.fingerprint, study.name, tags)

    @functools.cached_property
    def _provenance(self) -> dict[str, str]:
        known = {REVISION: git_revision(), LOCK_DIGEST: lock_digest()}
        found = {tag: value for tag, value in known.items() if value is not None}
        return {DATA: dataset_digest(self._plan.study.dataset), **found}

    def _open_study(self, client: MlflowClient) -> str:
        """Return the study's run, describe it, and let one that failed or was cut short go on."""
        run = self._study(client)
        run_id = str(run.info.run_id)
        if run.info.status in ("FAILED", "KILLED"):
            client.update_run(run_id, status="RUNNING")
        client.log_text(run_id, shown(self._plan.study), "study.json")
        client.log_text(run_id, json.dumps(package_versions(), indent=2), "versions.json")
        searched = json.dumps(searched_settings(self._plan.study.search.space))
        search = {SEARCHED: searched, METRIC: self._plan.study.search.metric}
        if self._plan.study.fidelity == "short":
            search[SHORT_OF] = full_name(self._plan.study)
        written = {DESCRIBED: "yes", RUN_AT: str(int(time.time() * 1000)), PLANNED: self._planned, **search}
        client.log_batch(run_id, tags=[RunTag(tag, value) for tag, value in written.items()])
        return run_id

    @property
    def _planned(self) -> str:
        return str(totals(self._plan).trials)

    def _experiment_id(self, client: MlflowClient) -> str:
        name = self._plan.study.tracking.experiment or self._plan.study.name
        serves = (self._plan.study.tracking.uri or "").startswith(SERVERS)
        found = client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "deleted":
            back = restoring(self.address, found)
            raise TrackingRefused(f"experiment {name} is deleted in MLflow: {back}, tracking.experiment names another")
        if found is None:
            location = None if serves else self._store.artifacts.as_uri()
            try:
                return str(client.create_experiment(name, artifact_location=location, tags={KIND_OF_WORK: TRAINING}))
            except MlflowException as error:
                found = client.get_experiment_by_name(name) if error.error_code == "RESOURCE_ALREADY_EXISTS" else None
                if found is None:
                    raise
        if KIND_OF_WORK not in found.tags:  # whoever has chosen one means it
            client.set_experiment_tag(found.experiment_id, KIND_OF_WORK, TRAINING)
        return str(found.experiment_id)
