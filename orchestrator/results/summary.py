"""Summarise a study: its rows compared, as tables show them, and its best student."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.results.comparability import comparable_groups
from orchestrator.results.detector_costs import cost_json
from orchestrator.results.metric_names import columns_for, written
from orchestrator.results.result import TrialResult
from orchestrator.results.rows import RankedRow, Row, best_of, ranked_rows
from orchestrator.results.sample import Sample
from orchestrator.results.trial import NOT_A_NUMBER, failed_measurement, is_final, lacks_metric, mark_of, shown_values
from orchestrator.study.wording import counted
from trainers.schema.record import SELECTION_METRIC

Summary = RankedRow[TrialResult]


@dataclass(frozen=True)
class SummaryLine:
    """Hold one line of a table: a row's means, or by itself a trial that enters none, marked in its name."""

    summary: Summary
    name: str
    seeds: str
    states: tuple[str, ...]
    samples: Mapping[str, Sample]
    gain: float | None = None
    rank: int | None = None
    mark: str = ""

    @property
    def status(self) -> str:
        """Return the states of the line's trials, counted where they differ."""
        kinds = Counter(self.states)
        if len(kinds) == 1:
            return self.states[0]
        return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))

    def is_of(self, summary: Summary | None) -> bool:
        """Return whether this is the line of a row's means, and no trial by itself."""
        return summary is not None and not self.mark and self.summary.row.first is summary.row.first

    @property
    def marked_name(self) -> str:
        """Return the name, with the mark of a line that is no result of the study."""
        return f"{self.name} ({self.mark})" if self.mark else self.name


def summarise(results: Sequence[TrialResult]) -> list[Summary]:
    """Return the rows of a study in order of appearance, compared where they may be."""
    groups = comparable_groups(results)
    found = [ranked for group in groups for ranked in ranked_rows(group)]
    grouped = {trial.id for group in groups for trial in group.teachers}
    alone = [result for result in results if result.role == "teacher" and result.id not in grouped]
    found += [RankedRow(Row("teacher", (teacher,)), "") for teacher in alone]
    places = {id(result): place for place, result in enumerate(results)}
    first = {id(ranked.row.first): ranked for ranked in reversed(found)}  # a teacher of several groups once
    return sorted(first.values(), key=lambda ranked: places[id(ranked.row.first)])


def best_student(results: Sequence[TrialResult]) -> TrialResult | None:
    """Return the best finished student by the study's metric."""
    return best_of(results)


def row_of_best(results: Sequence[TrialResult]) -> Summary | None:
    """Return the row of the best student, compared."""
    best = best_student(results)
    return next((found for found in summarise(results) if best is not None and best in found.row.trials), None)


def lacks_best(results: Sequence[TrialResult]) -> str:
    """Return why a study has no best student, and the remedy."""
    measured = Counter(state_of(trial) for trial in results if trial.role != "teacher" and trial.best)
    if not measured:
        return "no student of this study has been evaluated yet: run the study first"
    if metric := lacking_metric(results):
        return f"no student of this study has the metric {metric}: choose another one as search.metric"
    said = ", ".join(f"{count} {state}" for state, count in sorted(measured.items()))
    again = "" if set(measured) <= {"stopped", NOT_A_NUMBER} else "run the study, or "
    return f"no student of this study has been trained to its end ({said}): {again}name a trial by its id"


def lacking_metric(results: Sequence[TrialResult]) -> str | None:
    """Return the metric that trials are judged by where students have finished and none of them has it."""
    finished = [trial for trial in results if trial.role != "teacher" and is_final(trial) and trial.best]
    return finished[0].metric if finished and all(map(lacks_metric, finished)) else None


def without_best(results: Sequence[TrialResult]) -> str:
    """Return why a table names no best student, in a few words."""
    metric = lacking_metric(results)
    return f"no finished student has {written(metric)}" if metric else "no finished student has been evaluated"


def lines_of(summaries: Sequence[Summary]) -> list[SummaryLine]:
    """Return the lines of a table: each row, and below it the trials that were measured but do not count."""
    return [line for summary in summaries for line in _lines(summary)]


def columns_of(lines: Sequence[SummaryLine]) -> dict[str, str]:
    """Return which metrics a table shows, by title."""
    selected = dict.fromkeys(line.summary.row.metric for line in lines)
    return columns_for((metric for line in lines for metric in line.samples), selected)


def summary_json(results: Sequence[TrialResult]) -> dict[str, Any]:
    """Return rows and best student as ``compare --json`` prints them and the study's run in MLflow keeps them."""
    best = best_student(results)
    metric = next((result.metric for result in results), SELECTION_METRIC)
    rows = [_row_json(summary) for summary in summarise(results)]
    return {"metric": metric, "rows": rows, "best": best.id if best else None}


def _lines(summary: Summary) -> list[SummaryLine]:
    row = summary.row
    shown = [trial for trial in row.others if shown_values(trial)]
    apart = [_trial_line(summary, trial) for trial in shown]
    if len(row.trials) == len(shown) == 1:
        return apart
    states = tuple(map(state_of, row.trials))
    return [SummaryLine(summary, row.first.name, _seeds(row), states, row.samples, summary.gain, summary.rank), *apart]


def _trial_line(summary: Summary, trial: TrialResult) -> SummaryLine:
    samples = {key: Sample(value, None, 1) for key, value in shown_values(trial).items()}
    return SummaryLine(summary, trial.name, f"seed {trial.seed}", (trial.status,), samples, mark=mark_of(trial))


def _seeds(row: Row[TrialResult]) -> str:
    """Return how many seeds a row has and counts, never a bare number: it could be a seed's own."""
    planned, finished = counted(len(row.trials), "seed"), len(row.counted)
    return planned if finished == len(row.trials) else f"{finished} of {planned}"


def state_of(trial: TrialResult) -> str:
    """Return a trial's status; a finished one whose AP is no number is a failed measurement."""
    return NOT_A_NUMBER if failed_measurement(trial) else trial.status


def _row_json(summary: Summary) -> dict[str, Any]:
    row, baseline = summary.row, summary.baseline
    return {
        "name": row.first.name,
        "kind": row.kind,
        "role": row.first.role,
        "method": row.first.method,
        "params": row.first.params,
        "group": summary.group,
        "trials": [trial.id for trial in row.trials],
        "counted": [trial.id for trial in row.counted],
        "seeds": [trial.seed for trial in row.trials],
        "statuses": [state_of(trial) for trial in row.trials],
        "n": row.score.n if row.score else 0,
        "mean": {key: sample.mean for key, sample in row.samples.items()},
        "spread": {key: sample.spread for key, sample in row.samples.items() if sample.spread is not None},
        "counts": {key: sample.n for key, sample in row.samples.items()},
        "vs_none": summary.gain,
        "none": [trial.id for trial in baseline.trials] if baseline else None,
        "rank": summary.rank,
        "interval": list(summary.interval) if summary.interval else None,
        "cost": cost_json(row.first.cost),
        "vs_none_interval": list(summary.gain_interval) if summary.gain_interval else None,
    }
