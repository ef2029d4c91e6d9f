"""Make the rows of a group's leaderboard: one for trials that differ in the seed only."""

import hashlib
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboards.comparability import Comparable
from dashboards.numbers import finite, number, numbers
from dashboards.paper import Paper
from dashboards.progress import status_of
from dashboards.ranking import Sample, intervals, ranks
from dashboards.schema import Number, Row
from dashboards.seen import Seen

Kind = Literal["teacher", "baseline", "distilled"]
NOT_IDENTITY = (
    "seed",
    "dataset.",
    "teacher.",
)  # of a row in a group: the seed, where files are, and what the group shares
Values = Mapping[str, float]


@dataclass
class Line:
    """Hold a row while it is being made: the trials behind it."""

    kind: Kind
    trials: list[Seen]

    @property
    def first(self) -> Seen:
        """Return the trial that stands for the row's settings."""
        return self.trials[0]

    @property
    def scores(self) -> list[float]:
        """Return the selection metric of the trials that have one."""
        return [trial.score for trial in self.trials if trial.score is not None]

    @property
    def sample(self) -> Sample | None:
        """Return mean and spread of the selection metric."""
        scores = self.scores
        return Sample(statistics.fmean(scores), spread(scores), len(scores)) if scores else None


def leaderboard(group: Comparable, metrics: Sequence[str], paper: Paper, now: float) -> list[Row]:
    """Return teachers, baselines and distilled students of a group, the last ones ranked, highest mean first."""
    kinds: list[tuple[Kind, list[Seen]]] = [
        ("teacher", group.teachers), ("baseline", group.baselines), ("distilled", group.distilled),
    ]  # fmt: skip
    lines = [line for kind, trials in kinds for line in sorted(_lines(kind, trials), key=_descending)]
    baselines = [line for line in lines if line.kind == "baseline"]
    rows = [_row(line, group.id, metrics, paper, now, _baseline_of(line, baselines)) for line in lines]
    _rank([(row, line.sample) for row, line in zip(rows, lines, strict=True)])
    return rows


def _rank(rows: Sequence[tuple[Row, Sample | None]]) -> None:
    """Write interval and rank into rows: the baselines' spread counts too, but they are not ranked."""
    students = [(row, sample) for row, sample in rows if sample is not None and row["kind"] != "teacher"]
    bounds = intervals([sample for _, sample in students])
    for (row, _), interval in zip(students, bounds, strict=True):
        row["interval"] = numbers(interval)
    ranked = [index for index, (row, _) in enumerate(students) if row["kind"] == "distilled"]
    places = ranks([students[index][1].mean for index in ranked], [bounds[index] for index in ranked])
    for index, rank in zip(ranked, places, strict=True):
        students[index][0]["rank"] = rank


def _descending(line: Line) -> float:
    return -line.sample.mean if line.sample else float("inf")


def spread(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation, ``None`` for fewer than two values."""
    if len(values) < 2:
        return None
    if min(values) == max(values):
        return 0.0
    mean = statistics.fmean(values)  # ``statistics.stdev`` counts in fractions: ten times as long for the same digits
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def without_repeats(trials: Iterable[Seen]) -> list[Seen]:
    """Return trials with each id once: of runs that several studies hold of one trial, the one that is furthest."""
    found: dict[str, Seen] = {}
    for trial in sorted(trials, key=lambda trial: (trial.run.outcome == "finished", trial.epoch or 0), reverse=True):
        found.setdefault(trial.id, trial)
    chosen = {trial.run.run_id for trial in found.values()}
    return [trial for trial in trials if trial.run.run_id in chosen]


def _lines(kind: Kind, trials: Sequence[Seen]) -> list[Line]:
    found: dict[object, Line] = {}
    for trial in without_repeats(trials):
        found.setdefault(_identity(trial), Line(kind, [])).trials.append(trial)
    return list(found.values())


def _identity(trial: Seen) -> object:
    """Return the settings that tell a row from another; a run that records none stands for itself."""
    settings = tuple(sorted((k, v) for k, v in trial.run.params.items() if not k.startswith(NOT_IDENTITY)))
    return settings or trial.run.run_id


def _baseline_of(line: Line, baselines: Sequence[Line]) -> Line | None:
    """Return the student trained alone at the line's student and schedule, else the only one of that student."""
    if line.kind != "distilled":
        return None
    alike = [other for other in baselines if _settings(other, "student.") == _settings(line, "student.")]
    exact = [other for other in alike if _settings(other, "schedule.") == _settings(line, "schedule.")]
    if exact:
        return exact[0]
    return alike[0] if len(alike) == 1 else None


def _settings(line: Line, prefix: str) -> dict[str, str]:
    return {key: value for key, value in line.first.run.params.items() if key.startswith(prefix)}


def _row(line: Line, group: str, metrics: Sequence[str], paper: Paper, now: float, baseline: Line | None) -> Row:
    first, own = line.first, line.sample
    alone = baseline.sample if baseline else None
    cell = paper.cell_of(first)
    printed = paper.value(cell, first.metric) if cell else None
    return {
        "key": _key(line, group),
        "group": group,
        "kind": line.kind,
        "label": _label(first),
        "method": first.method,
        "point": first.point,
        "student": first.student,
        "runs": [trial.run.run_id for trial in line.trials],
        "seeds": [trial.seed for trial in line.trials],
        "n": own.n if own else 0,
        "mean": _over(line, metrics, _best, statistics.fmean),
        "spread": _over(line, metrics, _best, spread),
        "best": _over(line, metrics, _best, max),
        "last_mean": _over(line, metrics, _last, statistics.fmean),
        "last_spread": _over(line, metrics, _last, spread),
        "to_none": number(own.mean - alone.mean) if own and alone else None,
        "none_key": _key(baseline, group) if baseline else None,
        "to_paper": number(own.mean - printed) if own and printed is not None else None,
        "paper": cell["id"] if cell else None,
        "rank": None,
        "interval": [],
        "statuses": dict(Counter(status_of(trial, now) for trial in line.trials)),
        "gpu_hours": number(_mean_of([trial.gpu_hours for trial in line.trials])),
    }


def _key(line: Line, group: str) -> str:
    return hashlib.sha256(repr((group, line.kind, _identity(line.first))).encode()).hexdigest()[:12]


def _label(trial: Seen) -> str:
    if trial.role == "teacher":
        return f"teacher {trial.student}".strip()
    return f"{trial.method} {trial.point}".strip() or trial.run.name


def _best(trial: Seen) -> Values:
    return trial.best


def _last(trial: Seen) -> Values:
    return trial.last


def _over(
    line: Line, metrics: Sequence[str], values: Callable[[Seen], Values], summary: Callable[[list[float]], float | None]
) -> list[Number]:
    """Summarise each metric over the line's trials; what is missing or no number is left out."""
    columns = ([known for t in line.trials if (known := finite(values(t).get(key))) is not None] for key in metrics)
    return numbers(summary(column) if column else None for column in columns)


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
