"""Write a group's ranked rows as the rows of its leaderboard: one for trials that differ in the seed only."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from dashboards.numbers import number, numbers
from dashboards.paper import Paper
from dashboards.progress import status_of
from dashboards.run_record import RunRecord
from dashboards.schema import LeaderboardRow, OtherTrial
from orchestrator.core.numbers import numbers_in
from orchestrator.results.comparability import Comparable
from orchestrator.results.rows import RankedRow, ranked_rows
from orchestrator.results.rows import Row as TrialRow
from orchestrator.results.sample import Sample, sample_of
from orchestrator.results.trial import NOT_A_NUMBER, failed_measurement, mark_of, shown_values
from orchestrator.study.selection import merit

ORDER = ("teacher", "baseline", "distilled")


def leaderboard(group: Comparable[RunRecord], metrics: Sequence[str], paper: Paper, now: float) -> list[LeaderboardRow]:
    """Return teachers, baselines and distilled students of a group, each with the best mean first."""
    ordered = sorted(ranked_rows(group), key=_place)
    return [_row(ranked, metrics, paper, now) for ranked in ordered]


def _place(ranked: RankedRow[RunRecord]) -> tuple[int, float]:
    score = ranked.row.merit
    return ORDER.index(ranked.row.kind), -score.mean if score else float("inf")


def _row(ranked: RankedRow[RunRecord], metrics: Sequence[str], paper: Paper, now: float) -> LeaderboardRow:
    row, baseline = ranked.row, ranked.baseline
    first, score = row.first, row.score
    cell = paper.cell_of(first)
    test = sample_of(trial.test for trial in row.counted)
    last = {key: row.last_sample(key) for key in metrics}
    return {
        "key": row_key(row, ranked.group),
        "group": ranked.group,
        "kind": row.kind,
        "label": _label(first),
        "method": first.method,
        "point": first.point,
        "student": first.student,
        "runs": [trial.run.run_id for trial in row.trials],
        "counted": [trial.run.run_id for trial in row.counted],
        "others": [_other(trial, metrics, now) for trial in row.others],
        "seeds": [trial.seed for trial in row.trials],
        "n": score.n if score else 0,
        "mean": numbers(_mean(row.samples.get(key)) for key in metrics),
        "spread": numbers(_spread(row.samples.get(key)) for key in metrics),
        "best": numbers(_best(row, key) for key in metrics),
        "last_mean": numbers(_mean(last[key]) for key in metrics),
        "last_spread": numbers(_spread(last[key]) for key in metrics),
        "test": number(_mean(test)),
        "test_spread": number(_spread(test)),
        "to_none": number(ranked.gain),
        "none_key": row_key(baseline, ranked.group) if baseline else None,
        "to_paper": number(paper.difference(cell, first.metric, row.samples)) if cell else None,
        "paper": cell["id"] if cell else None,
        "rank": ranked.rank,
        "interval": numbers(ranked.interval or ()),
        "gain_interval": numbers(ranked.gain_interval or ()),
        "statuses": dict(Counter(_state(trial, now) for trial in row.trials)),
        "gpu_hours": number(_mean(sample_of(trial.gpu_hours for trial in row.counted or row.trials))),
        "cost": {name: number(value) for name, value in first.cost.items()},
    }


def _other(trial: RunRecord, metrics: Sequence[str], now: float) -> OtherTrial:
    values: Mapping[str, float] = shown_values(trial)
    return {
        "run": trial.run.run_id,
        "seed": trial.seed,
        "status": status_of(trial, now),
        "mark": mark_of(trial),
        "epoch": trial.epoch,
        "values": numbers(values.get(key) for key in metrics),
    }


def _state(trial: RunRecord, now: float) -> str:
    return NOT_A_NUMBER if failed_measurement(trial) else status_of(trial, now)


def row_key(row: TrialRow[RunRecord], group: str) -> str:
    """Return the name of a row, the same in every comparison that has the group."""
    return hashlib.sha256(repr((group, row.kind, row.identity)).encode()).hexdigest()[:12]


def _label(trial: RunRecord) -> str:
    if trial.role == "teacher":
        return " ".join(filter(None, ("teacher", trial.student, trial.point.replace("teacher.", ""))))
    return f"{trial.method} {trial.point}".strip() or trial.run.name


def _best(row: TrialRow[RunRecord], metric: str) -> float | None:
    return max(numbers_in(_values(row.counted, metric)), key=partial(merit, metric), default=None)


def _values(trials: Iterable[RunRecord], metric: str) -> Iterable[float | None]:
    return (trial.best.get(metric) for trial in trials)


def _mean(sample: Sample | None) -> float | None:
    return sample.mean if sample else None


def _spread(sample: Sample | None) -> float | None:
    return sample.spread if sample else None
