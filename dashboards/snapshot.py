"""Take a snapshot of a tracking store: everything that the views show, as one JSON document."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dashboards.alpha import alpha_grids
from dashboards.answer import answer_of, on_gpu, spark_of
from dashboards.comparability import differences
from dashboards.curves import packed
from dashboards.facts_text import facts_in_words, group_label
from dashboards.importance import importances
from dashboards.leaderboard import leaderboard
from dashboards.next_steps import next_steps
from dashboards.numbers import number, numbers
from dashboards.paper import Paper, shipped_paper
from dashboards.pareto import pareto_fronts
from dashboards.progress import counts, eta_s, status_of
from dashboards.rank_correlation import rung_correlation
from dashboards.run_record import BEST, EPOCH, TEST_PREFIX, RunRecord
from dashboards.schema import (
    VERSION,
    Compared,
    ComparisonGroup,
    Dashboard,
    MetricTitle,
    OlderVersion,
    Ranked,
    Snapshot,
    SnapshotFidelity,
    SnapshotPrefix,
    SnapshotStudy,
    SnapshotTrial,
    SystemHistories,
)
from dashboards.studies import StudyRuns, run_at, sort_into_studies, unusual_settings
from dashboards.timeline import events_of
from orchestrator.results.comparability import Comparable, comparable_groups
from orchestrator.results.detector_costs import METRIC_PREFIX
from orchestrator.results.fidelity_agreement import fidelity_agreement
from orchestrator.results.metric_names import name_of
from orchestrator.results.rows import best_of
from orchestrator.results.trial import mark_of
from orchestrator.study.selection import falls, is_fraction
from orchestrator.tracking.history.recorded import TrackingStore
from trainers.schema.class_metrics import PREFIX as PER_CLASS
from trainers.schema.record import SELECTION_METRIC
from trainers.schema.system_metrics import PREFIX as SYSTEM

MOST_METRICS = 100
SYSTEM_POINTS = 60  # of a curve of system metrics: charts of them are small
SERVERS = ("http://", "https://")  # tracking stores whose pages can be opened in a browser
USUAL = ("coco/", "voc/")  # metrics that come first


@dataclass(frozen=True)
class Query:
    """Select the trials to show: ``metric`` judges them, ``studies`` (names) are all when empty.

    An empty ``metric`` is the one that all studies select by, AP where they differ.

    ``now`` decides which trials still run (seconds since 1970; ``None``: the present). A curve keeps ``points`` points
    at most.
    """

    metric: str = ""
    studies: tuple[str, ...] = ()
    now: float | None = None
    points: int = 200
    live: bool = True
    paper: Paper = field(default_factory=shipped_paper)
    dashboards: tuple[Dashboard, ...] = ()


def snapshot(tracking: TrackingStore, query: Query | None = None) -> Snapshot:
    """Return the store's present contents, including curves.

    Reads nothing but ``tracking``. Runs made elsewhere, unknown tags and missing metrics are normal. Raises
    ``OperationError`` when the store cannot be read.
    """
    query = query or Query()
    query = query if query.now is not None else replace(query, now=time.time())
    runs = tracking.runs()
    studies = _wanted(sort_into_studies(runs), query.studies)
    query = replace(query, metric=query.metric or _common_metric(studies))
    curves = tracking.curves(list({run.run_id: run for study in studies for run in study.trials}.values()))
    run_records = {
        study.id: [
            RunRecord(run, curves.get(run.run_id, {}), study.id, study.searched, query.metric) for run in study.trials
        ]
        for study in studies
    }
    content = _content(studies, run_records, query)
    content["notes"] = [*tracking.notes(runs), *content["notes"]]
    content["source"] = tracking.source
    content["mlflow"] = tracking.source if tracking.source.startswith(SERVERS) else None
    content["revision"] = _revision(content)
    content["generated_at"] = number(query.now)
    return content


def without_histories(content: Snapshot) -> dict[str, Any]:
    """Return a snapshot without its curves, which are most of it."""
    return {key: value for key, value in content.items() if key not in ("histories", "system")}


def as_json(content: object) -> str:
    """Return plain data as compact JSON."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _wanted(studies: list[StudyRuns], names: Sequence[str]) -> list[StudyRuns]:
    return [study for study in studies if study.trials and (not names or study.name in names)]


def _common_metric(studies: Iterable[StudyRuns]) -> str:
    """Return the metric that all studies select by; those that recorded none do so by AP."""
    found = {(study.own and study.own.metric) or SELECTION_METRIC for study in studies if not study.older}
    return found.pop() if len(found) == 1 else SELECTION_METRIC


def _content(studies: list[StudyRuns], run_records: dict[str, list[RunRecord]], query: Query) -> Snapshot:
    present = [study for study in studies if not study.older]
    older = sorted((study for study in studies if study.older), key=run_at, reverse=True)
    trials = list({trial.run.run_id: trial for found in run_records.values() for trial in found}.values())
    metrics, notes = _metrics(trials)
    return {
        **_ranked(present, run_records, metrics, query),
        "version": VERSION,
        "generated_at": None,
        "revision": "",
        "live": query.live,
        "source": "",
        "mlflow": None,
        "metric": query.metric,
        "metrics": metrics,
        "metric_names": {key: _metric_name(key) for key in dict.fromkeys((query.metric, *metrics)) if _is_named(key)},
        "studies": [_study(study, run_records, present, query) for study in present],
        "older": [_older(study, run_records, metrics, query) for study in older],
        "alone": _alone(present, run_records, metrics, query),
        "paper": query.paper.cells,
        "dashboards": list(query.dashboards),
        "notes": notes,
        "histories": packed({trial.run.run_id: trial.all_curves for trial in trials}, metrics, query.points),
        "system": _system(trials, query),
    }


def _system(trials: Sequence[RunRecord], query: Query) -> SystemHistories:
    """Return the curves of system metrics, which have names of their own: only pages of single trials ask for them."""
    metrics = sorted({key for trial in trials for key in trial.curves if key.startswith(SYSTEM)})[:MOST_METRICS]
    curves = {trial.run.run_id: trial.curves for trial in trials if any(key in metrics for key in trial.curves)}
    names = {key: _metric_name(key) for key in metrics if _is_named(key)}
    return {"metrics": metrics, "metric_names": names, **packed(curves, metrics, min(SYSTEM_POINTS, query.points))}


def _older(
    study: StudyRuns, run_records: dict[str, list[RunRecord]], metrics: Sequence[str], query: Query
) -> OlderVersion:
    return {"study": _study(study, run_records, [], query), **_ranked([study], run_records, metrics, query)}


def _ranked(
    studies: Sequence[StudyRuns], run_records: dict[str, list[RunRecord]], metrics: Sequence[str], query: Query
) -> Ranked:
    """Compare the trials of some studies with each other; one that several of them share counts once."""
    home = {trial.run.run_id: trial for study in sorted(studies, key=run_at) for trial in run_records[study.id]}
    trials = [trial for study in studies for trial in run_records[study.id] if home[trial.run.run_id] is trial]
    runs = {trial.id: trial.run.run_id for trial in trials}
    usual = {study.id: study.usual for study in studies}
    return {
        "trials": [_trial(trial, usual[trial.study], metrics, runs, query) for trial in trials],
        **_compared(comparable_groups(trials), metrics, query),
    }


def _alone(
    studies: Sequence[StudyRuns], run_records: dict[str, list[RunRecord]], metrics: Sequence[str], query: Query
) -> dict[str, Compared]:
    """Compare the trials of each study that shares a group with another one among themselves."""
    groups = comparable_groups([trial for study in studies for trial in run_records[study.id]])
    found: dict[str, Compared] = {}
    for study in studies:
        own = {trial.run.run_id for trial in run_records[study.id]}
        members = [{trial.run.run_id for trial in group.members} for group in groups]
        if any(runs & own and runs - own for runs in members):
            found[study.id] = _compared(comparable_groups(run_records[study.id]), metrics, query)
    return found


def _compared(groups: Sequence[Comparable[RunRecord]], metrics: Sequence[str], query: Query) -> Compared:
    return {
        "groups": [_group(group) for group in groups],
        "differences": differences(groups),
        "rows": [row for group in groups for row in leaderboard(group, metrics, query.paper, query.now or 0.0)],
        "alpha": [grid for group in groups for grid in alpha_grids(group)],
        "importance": [one for group in groups for one in importances(group)],
        "rungs": [one for group in groups if (one := rung_correlation(group)) is not None],
        "pareto": [front for group in groups for front in pareto_fronts(group)],
    }


def _is_named(metric: str) -> bool:
    return name_of(metric) is not None or is_fraction(metric)


def _metric_name(metric: str) -> MetricTitle:
    name = name_of(metric)
    title, meaning = (name.title, name.meaning) if name else (metric, "")
    return {"title": title, "meaning": meaning, "percent": is_fraction(metric), "falls": falls(metric)}


def _metrics(trials: Iterable[RunRecord]) -> tuple[list[str], list[str]]:
    """Return the metrics to show, those of evaluations first, and a note about the others."""
    times = Counter(key for trial in trials for key in {*trial.all_curves, *trial.run.metrics})
    left_out = (BEST, PER_CLASS, TEST_PREFIX, METRIC_PREFIX, SYSTEM)
    shown = [key for key in times if key != EPOCH and not key.startswith(left_out)]
    ordered = sorted(shown, key=lambda key: (not key.startswith(USUAL), key))
    if len(ordered) <= MOST_METRICS:
        return ordered, []
    kept = set(sorted(ordered, key=lambda key: (not key.startswith(USUAL), -times[key], key))[:MOST_METRICS])
    note = f"{len(ordered)} metrics are more than are shown: the {MOST_METRICS} that most runs have"
    return [key for key in ordered if key in kept], [note]


def _study(
    study: StudyRuns, run_records: dict[str, list[RunRecord]], others: Sequence[StudyRuns], query: Query
) -> SnapshotStudy:
    own, now, trials = study.own, query.now or 0.0, run_records[study.id]
    best = best_of(trials)
    hours = [trial.gpu_hours for trial in trials if trial.gpu_hours is not None]
    moments = [run.started for run in ([own] if own else study.trials) if run.started is not None]
    return {
        "id": study.id,
        "name": study.name,
        "description": own.description if own else "",
        "experiment": study.trials[0].experiment,
        "status": own.status.lower() if own else "",
        "started": number(min(moments, default=None)),
        "ended": number(own.ended) if own else None,
        "run_at": number(run_at(study)[0]) if own else None,
        "params": study.usual,
        "searched": list(study.searched),
        "runs": [trial.run.run_id for trial in trials],
        "best": best.run.run_id if best else None,
        "planned": own.planned if own else None,
        "counts": counts(trials, now),
        "eta_s": number(eta_s(trials, own.planned if own else None, now)),
        "gpu_hours": number(sum(hours)) if hours else None,
        "on_gpu": on_gpu(trials),
        "answer": answer_of(trials),
        "spark": spark_of(best, trials, query.metric),
        "fidelity": _fidelity(study, run_records, others),
        "next": next_steps(study, trials, best is not None, now),
    }


def _fidelity(
    study: StudyRuns, run_records: dict[str, list[RunRecord]], others: Sequence[StudyRuns]
) -> SnapshotFidelity | None:
    """Return how a short study orders its rows beside the full one, the one that was run last where several have its name."""
    name = study.own.short_of if study.own else ""
    full = max((other for other in others if name and other.name == name), key=run_at, default=None)
    if full is None:
        return None
    found = fidelity_agreement(run_records[study.id], run_records[full.id])
    return {"study": full.id, "rows": found.rows, "correlation": number(found.correlation)}


def _trial(
    trial: RunRecord, usual: dict[str, str], metrics: Sequence[str], runs: dict[str, str], query: Query
) -> SnapshotTrial:
    run, now = trial.run, query.now or 0.0
    cell = query.paper.cell_of(trial)
    return {
        "run": run.run_id,
        "id": trial.id,
        "study": trial.study,
        "name": run.name,
        "role": "teacher" if trial.role == "teacher" else "student",
        "method": trial.method,
        "point": trial.point,
        "seed": trial.seed,
        "status": status_of(trial, now),
        "counts": trial.counts,
        "mark": mark_of(trial),
        "reason": run.reason,
        "note": run.description,
        "experiment": run.experiment_id,
        "student": trial.student,
        "teacher": trial.teacher,
        "teacher_run": runs.get(trial.teacher_id),
        "params": unusual_settings(run.params, usual),
        "tags": dict(run.tags) | ({"dataset_digest": run.data} if run.data else {}),
        "started": number(run.started),
        "ended": number(run.ended),
        "epoch": trial.epoch,
        "epochs": trial.epochs,
        "best_epoch": trial.best_epoch,
        "best": numbers(trial.best.get(key) for key in metrics),
        "last": numbers(trial.last.get(key) for key in metrics),
        "per_class": {name: number(value) for name, value in trial.per_class.items()},
        "gpu_hours": number(trial.gpu_hours),
        "cost": {name: number(value) for name, value in trial.cost.items()},
        "devices": run.devices,
        "on_gpu": run.on_gpu,
        "epoch_s": number(trial.epoch_s),
        "prefix": _prefix(trial, runs),
        "events": events_of(run),
        "paper": cell["id"] if cell else None,
    }


def _prefix(trial: RunRecord, runs: dict[str, str]) -> SnapshotPrefix | None:
    found = trial.run.prefix
    return None if found is None else {"trial": found.trial, "run": runs.get(found.trial), "epochs": found.epochs}


def _group(group: Comparable[RunRecord]) -> ComparisonGroup:
    facts = facts_in_words(group)
    return {
        "id": group.id,
        "label": group_label(facts),
        "facts": facts,
        "runs": [trial.run.run_id for trial in group.distilled],
        "baselines": [trial.run.run_id for trial in group.baselines],
        "teachers": [trial.run.run_id for trial in group.teachers],
    }


def _revision(content: Snapshot) -> str:
    return hashlib.sha256(as_json(content).encode()).hexdigest()[:16]
