"""Measure the chosen student and the student alone on the test split, once, after everything is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.core.store import Store
from orchestrator.plan.digests import has_test_split, split_digest
from orchestrator.plan.machine import Machine, this_machine
from orchestrator.plan.plan import Plan
from orchestrator.plan.split_scores import read_scores, write_scores
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.amounts import sample_text
from orchestrator.results.metric_names import title_of, value_text
from orchestrator.results.result import TrialResult
from orchestrator.results.sample import Sample, sample_of
from orchestrator.results.summary import Summary, row_of_best, summarise
from trainers.schema.error_text import last_line

MEANING = "measured on images that nothing was chosen by"
MEASURE = "trainers.predictions.measure"  # imported where it runs: it brings torch


@dataclass(frozen=True)
class TestRow:
    """Hold what the trials of one row measure on the test split; ``gain`` is the difference to the student alone."""

    name: str
    trials: dict[str, dict[str, float]]
    score: Sample | None
    metric: str
    gain: float | None = None


def why_not_measured(plan: Plan, store: Store, results: Sequence[TrialResult]) -> str:
    """Measure what is to be measured, and return why that failed; nothing where it did not."""
    try:
        measure_test_split(plan, store, results)
    except Exception as error:  # noqa: BLE001  all is trained: no fault of this step may hide the results
        return f"the test split could not be measured: {last_line(error)}; the next run tries again"
    return ""


def measure_test_split(
    plan: Plan, store: Store, results: Sequence[TrialResult], machine: Machine | None = None
) -> None:
    """Measure the trials that need it and keep the metrics beside them; nothing is measured twice on the same data.

    Raises ``OperationError`` when an image or a checkpoint cannot be read.
    """
    data = plan.study.dataset
    if not has_test_split(data) or not (wanted := _trials(plan, results)):
        return
    digest = split_digest(data, "test")
    lacking = [trial for trial in wanted if (kept := read_scores(trial.directory)) is None or kept.data != digest]
    if not lacking:
        return
    from orchestrator.reports.predict import run_here, subjects_in  # brings MLflow, and plans tell rows without it

    where = machine or this_machine()
    with subjects_in(plan, store, lacking) as subjects:
        found = run_here(MEASURE, "measure", subjects, "test", where.cpus, cuda=where.gpus > 0)
    for trial in lacking:
        write_scores(trial.directory, digest, found[trial.id])


def rows_of_test_split(results: Sequence[TrialResult]) -> list[TestRow]:
    """Return the measured rows: the student alone, then the chosen one. There are none before they are measured."""
    if not any(result.test for result in results):
        return []
    rows: list[TestRow] = []
    for summary in _chosen(results):
        trials = {trial.id: dict(trial.test) for trial in summary.row.counted if trial.test}
        metric = summary.row.metric
        score = sample_of(metrics.get(metric) for metrics in trials.values())
        alone = rows[0].score if rows else None
        gain = score.mean - alone.mean if score and alone else None
        rows.append(TestRow(summary.row.first.name, trials, score, metric, gain))
    return [row for row in rows if row.trials]


def test_lines(rows: Sequence[TestRow]) -> list[str]:
    """Return the lines that tell the rows, apart from the table by which students are chosen."""
    lines = [f"         {line}" for line in _lines(rows)]
    return [f"test:    {MEANING}", *lines] if lines else []


def test_sentence(rows: Sequence[TestRow]) -> str:
    """Return the same as a report's note, nothing where nothing was measured."""
    lines = _lines(rows)
    return f"Test split, {MEANING}: {'; '.join(lines)}." if lines else ""


def test_json(rows: Sequence[TestRow]) -> list[dict[str, Any]]:
    """Return the rows as ``--json`` prints them."""
    return [{"name": row.name, "trials": row.trials, "vs_none": row.gain} for row in rows]


def _chosen(results: Sequence[TrialResult]) -> list[Summary]:
    """Return the row of the student alone, where there is one, and that of the best student."""
    mine = row_of_best(results)
    if mine is None:
        return []
    alone = [found for found in summarise(results) if mine.baseline is not None and found.row == mine.baseline]
    return [*alone, mine]


def _trials(plan: Plan, results: Sequence[TrialResult]) -> list[PlannedTrial]:
    ids = {trial.id for summary in _chosen(results) for trial in summary.row.counted}
    return [trial for trial in plan.trials if trial.id in ids]


def _lines(rows: Sequence[TestRow]) -> list[str]:
    return [
        f"{row.name}: {title_of(row.metric)} {_shown(row.metric, row.score)}{_gain(row)}"
        for row in rows
        if row.score is not None
    ]


def _shown(metric: str, score: Sample) -> str:
    seeds = f" ({score.n} seeds)" if score.spread is not None else ""
    return f"{sample_text(metric, score)}{seeds}"


def _gain(row: TestRow) -> str:
    return "" if row.gain is None else f", {value_text(row.metric, row.gain, '+')} over the student alone"
