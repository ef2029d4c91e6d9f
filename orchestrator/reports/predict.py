"""Run a study's best students on chosen images and record their detections in MLflow."""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.failures.kinds import FailureKind, classify, root_cause
from orchestrator.plan.machine import Machine, this_machine
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.export import require_undamaged, student_files
from orchestrator.results.result import TrialResult
from orchestrator.results.rows import best_of
from orchestrator.results.trial import counts
from orchestrator.tracking.client import open_results
from orchestrator.tracking.lacking import study_is_deleted
from orchestrator.tracking.names import run_name
from orchestrator.tracking.predictions import find_study, log_predictions
from orchestrator.tracking.reading import read_study
from orchestrator.tracking.runs import find_runs, member_tag
from orchestrator.tracking.tags import FINGERPRINT
from trainers.schema import DatasetSpec
from trainers.schema.predictions import INDEX, Index, Limits, PredictionJob, Subject
from trainers.schema.record import BEST

NO_RUN = "has no run in MLflow: run the study, or run stillhouse sync"
PREDICT = "trainers.predictions.predict"  # imported where it runs: it brings torch


@dataclass(frozen=True)
class Wanted:
    """Hold the user's request: trials by id or first digits (none: see ``default_trials``), images, and bounds.

    ``curves`` asks for precision, recall and confusions over the whole validation split as well.
    """

    trials: tuple[str, ...] = ()
    image_ids: tuple[str, ...] | None = None
    limits: Limits = field(default_factory=Limits)
    curves: bool = True


@dataclass(frozen=True)
class Predicted:
    """Hold the recorded trials and images, and the run that has the images."""

    index: Index
    run_id: str


def predict(plan: Plan, store: Store, wanted: Wanted, machine: Machine | None = None) -> Predicted:
    """Run trials on images and log their detections; repeating it replaces the files.

    Raises ``UserError`` for trials that the study lacks, ``OperationError`` when a trial has no student or no run in
    MLflow, and when an image, a checkpoint or MLflow cannot be read.
    """
    client = open_results(plan, store, adding=True)
    study = find_study(client, plan.fingerprint)
    if study is None:
        deleted = study_is_deleted(plan, store, client, plan.fingerprint)
        raise OperationError(deleted or f"study {plan.study.name} {NO_RUN}")
    trials = _chosen(plan, read_study(plan, store).results, wanted.trials)
    runs = find_runs(client, [trial.id for trial in trials], member_tag(plan.fingerprint))
    _require_runs(trials, runs)
    index = _show(plan, store, trials, wanted, machine, lambda folder: log_predictions(client, study, runs, folder))
    return Predicted(index, str(study.info.run_id))


def predict_shared(
    plan: Plan, store: Store, trials: Sequence[PlannedTrial], wanted: Wanted, machine: Machine | None = None
) -> str:
    """Run trials of several studies on the same images, each at its own dataset's size, and log their detections.

    Every study that one of the trials belongs to keeps the images and names all the trials; its fingerprint is
    returned, the first trial's. ``plan`` says where MLflow is. Raises ``OperationError`` as ``predict`` does.
    """
    client = open_results(plan, store, adding=True)
    runs = find_runs(client, [trial.id for trial in trials])
    _require_runs(trials, runs)
    homes = {trial.id: runs[trial.id].data.tags.get(FINGERPRINT, "") for trial in trials}

    def keep(folder: Path) -> None:
        looked = Index.model_validate_json((folder / INDEX).read_text()).trials
        for home in dict.fromkeys(homes.values()):
            study = find_study(client, home)  # asked again: it knows whether somebody has looked by now
            if study is None:
                raise OperationError(f"the study of one of the trials {', '.join(homes)} {NO_RUN}")
            log_predictions(client, study, {id_: runs[id_] for id_ in looked if homes[id_] == home}, folder)

    for group in _by_dataset(trials):
        _show(plan, store, group, wanted, machine, keep)
    return homes[trials[0].id]


def default_trials(plan: Plan, results: Sequence[TrialResult]) -> list[PlannedTrial]:
    """Return the teacher and the best student of each method, of those that are finished and evaluated."""
    methods = dict.fromkeys(result.method for result in results)
    best = [best_of(result for result in results if result.method == method) for method in methods]
    ids = {result.id for result in best if result} | {r.id for r in results if r.role == "teacher" and counts(r)}
    return [trial for trial in plan.trials if trial.id in ids]


def _chosen(plan: Plan, results: Sequence[TrialResult], names: tuple[str, ...]) -> list[PlannedTrial]:
    if not names:
        found = default_trials(plan, results)
        if not found:
            raise OperationError(
                "no finished trial of this study has been evaluated yet: run the study, or name trials with --trials"
            )
        return found
    chosen = [trial for name in names for trial in _named(plan, name)]
    return list({trial.id: trial for trial in chosen}.values())


def _named(plan: Plan, name: str) -> list[PlannedTrial]:
    found = list(plan.trials) if name == "all" else [trial for trial in plan.trials if trial.id.startswith(name)]
    if name != "all" and len(found) != 1:
        known = ", ".join(trial.id for trial in plan.trials)
        raise UserError(f"{'no' if not found else 'more than one'} trial begins with {name}; the study has {known}")
    return found


def _require_runs(trials: Sequence[PlannedTrial], runs: Container[str]) -> None:
    absent = [trial.id for trial in trials if trial.id not in runs]
    if absent:
        raise OperationError(f"trial {absent[0]} {NO_RUN}")


def _by_dataset(trials: Sequence[PlannedTrial]) -> list[list[PlannedTrial]]:
    groups: dict[DatasetSpec, list[PlannedTrial]] = {}
    for trial in trials:
        groups.setdefault(trial.spec.dataset, []).append(trial)
    return list(groups.values())


def _show(
    plan: Plan,
    store: Store,
    trials: Sequence[PlannedTrial],
    wanted: Wanted,
    machine: Machine | None,
    keep: Callable[[Path], None],
) -> Index:
    """Run the trials, and pass the folder with their detections to ``keep`` before it is removed."""
    with (
        subjects_in(plan, store, trials) as subjects,
        tempfile.TemporaryDirectory(prefix="stillhouse-predict-") as folder,
    ):
        index: Index = run_here(PREDICT, "predict", _job(subjects, wanted, Path(folder), machine or this_machine()))
        keep(Path(folder))
    return index


@contextlib.contextmanager
def subjects_in(plan: Plan, store: Store, trials: Sequence[PlannedTrial]) -> Iterator[list[Subject]]:
    """Bring the students of trials to this machine for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="stillhouse-students-") as scratch:
        yield [_subject(plan, store, trial, Path(scratch) / trial.id) for trial in trials]


def _subject(plan: Plan, store: Store, trial: PlannedTrial, scratch: Path) -> Subject:
    require_undamaged(trial)
    scratch.mkdir()
    checkpoint = student_files(plan, store, trial, scratch) / BEST
    return Subject(id=trial.id, name=run_name(trial), spec=trial.spec, checkpoint=str(checkpoint))


def _job(subjects: Sequence[Subject], wanted: Wanted, folder: Path, machine: Machine) -> PredictionJob:
    return PredictionJob(
        subjects=tuple(subjects),
        image_ids=wanted.image_ids,
        limits=wanted.limits,
        curves=wanted.curves,
        directory=str(folder),
        threads=machine.cpus,
        cuda=machine.gpus > 0,
    )


def run_here(module: str, function: str, *arguments: Any, **settings: Any) -> Any:
    """Call a function of the trainers in this process; its errors about the user's files become one sentence."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # mmdet's remarks about mmdet; pycocotools prints, and stdout is for the answer
            return getattr(import_module(module), function)(*arguments, **settings)
    except Exception as error:
        if classify(error) is FailureKind.CONFIG:
            raise OperationError(str(root_cause(error))) from error
        raise
