"""Show comparisons: a table with a cell for each printed number, and the outcome of each claim."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestrator.reports.fitting import WRAPPING, TableColumn
from orchestrator.reports.terminal_table import print_sentence, print_table
from orchestrator.reproduce.baseline_check import ACCEPT, BaselineCheck, check_of, described
from orchestrator.reproduce.comparison import Comparison
from orchestrator.reproduce.hypothesis import HypothesisResult, compare
from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.results import Judged, Results, ap_values
from orchestrator.reproduce.tables import METRICS, Hypothesis
from orchestrator.results.rank_correlation import RankAgreement
from orchestrator.study.wording import counted

MEANINGLESS = {
    "smoke": "FIDELITY smoke: two steps on drawn images, random weights where none are here. These numbers mean nothing.",
    "short": "FIDELITY short: a third of each schedule, a quarter of COCO and VOC. Differences between rows may be compared, printed numbers may not.",
}


def comparison_content(
    run_plan: RunPlan, rows: Sequence[Judged], results: Results, ranking: RankAgreement | None = None
) -> dict[str, Any]:
    """Return the comparisons as ``--json`` prints them."""
    hypotheses = [(hypothesis, result) for hypothesis, result in judged_hypotheses(run_plan, results)]
    return {
        "suites": [suite.name for suite in run_plan.suites],
        "fidelity": run_plan.options.fidelity,
        "rows": [_row_content(found) for found in rows],
        "claims": [dict(vars(hypothesis)) | dict(vars(result)) for hypothesis, result in hypotheses],
        "checks": [dict(vars(check)) for check in checks(run_plan, results)],
        "counts": counts(rows),
        "ranking": ranking and dict(vars(ranking)),
    }


def print_comparisons(
    run_plan: RunPlan, rows: Sequence[Judged], results: Results, ranking: RankAgreement | None = None
) -> None:
    """Print the comparisons for people: measured and printed AP in percent, and the conclusion.

    ``ranking`` is how a shortened reproduction agrees with the full one.
    """
    if run_plan.options.fidelity in MEANINGLESS:
        print_sentence(MEANINGLESS[run_plan.options.fidelity])
    print_table(_columns(), [_cells(found) for found in rows])
    for check in checks(run_plan, results):
        print_sentence(_check_line(check))
    for hypothesis, result in judged_hypotheses(run_plan, results):
        print_sentence(_hypothesis_line(hypothesis, result))
    if ranking is not None:
        print_sentence(_ranking_line(ranking))
    numbers = ", ".join(f"{number} {kind}" for kind, number in counts(rows).items())
    print_sentence(f"cells: {numbers}")


def checks(run_plan: RunPlan, results: Results) -> list[BaselineCheck]:
    """Return the checks of public weights that rows rest on, as far as they have been evaluated."""
    checked_weights = dict.fromkeys(checked for job in run_plan.jobs.values() for checked in job.checked_weights)
    values = {checked: ap_values(run_plan, checked, results) for checked in checked_weights}
    known = {checked: found[0] for checked, found in values.items() if found and math.isfinite(found[0])}
    return [check_of(checked, value, accept=run_plan.options.accept_teacher_ap) for checked, value in known.items()]


def judged_hypotheses(run_plan: RunPlan, results: Results) -> list[tuple[Hypothesis, HypothesisResult]]:
    """Return each hypothesis of the suites with the evidence from the seeds."""
    return [
        (
            hypothesis,
            compare(ap_values(run_plan, hypothesis.better, results), ap_values(run_plan, hypothesis.than, results)),
        )
        for suite in run_plan.suites
        for hypothesis in suite.hypotheses
    ]


def counts(rows: Sequence[Judged]) -> dict[str, int]:
    """Return how many cells have each outcome."""
    return dict(Counter(cell.kind for row in rows for cell in row.cells.values()))


def cell_text(cell: Comparison) -> str:
    """Return one cell: measured, printed and the outcome."""
    measured = "" if cell.mean is None else f"{cell.mean:.1f}"
    spread = "" if cell.error is None else f"±{cell.error:.1f}"
    if cell.kind == "not printed":
        return f"{measured}{spread}" or "-"
    if cell.kind == "not run":
        return f"not run ({cell.printed:.1f})" if cell.printed is not None else "not run"
    if cell.kind == "reproduced":
        return f"{measured}{spread} = {cell.printed:.1f}"
    return f"{measured}{spread} off by {cell.difference:+.1f}"


def _columns() -> list[TableColumn]:
    """Return the columns of a comparison: the later a metric stands among the paper's, the earlier it gives way."""
    metrics = [metric.replace("mAP", "AP") for metric in METRICS]
    return [
        TableColumn("table", gives_way=3),
        TableColumn("row", wraps=True),
        TableColumn("seeds", gives_way=1),
        *(
            TableColumn(title, wraps=True, gives_way=WRAPPING + place if place else 0)
            for place, title in enumerate(metrics)
        ),
        TableColumn("note", wraps=True, gives_way=2),
    ]


def _cells(found: Judged) -> list[str]:
    cells = [cell_text(found.cells[metric]) if metric in found.cells else "" for metric in METRICS]
    name = f"{found.row.label} {found.variant}".strip()
    return [found.row.table, name, str(found.seeds), *cells, found.note]


def _row_content(found: Judged) -> dict[str, Any]:
    cells = {name: dict(vars(cell)) | {"difference": cell.difference} for name, cell in found.cells.items()}
    row = found.row
    source = {"study": row.study} if row.study else {"weights": row.weights}
    return {
        "table": row.table,
        "row": row.label,
        **source,
        "variant": found.variant,
        "seeds": found.seeds,
        "cells": cells,
        "measured": dict(found.measured),
    }


def _check_line(check: BaselineCheck) -> str:
    measured = f"AP {check.measured:.1f} here, {described(check.weights)}"
    wrong = f"WRONG, accepted by {ACCEPT}" if check.accepted else "WRONG"
    return f"weights {check.weights}: {measured}: {'as it should be' if check.objection is None else wrong}"


def _hypothesis_line(hypothesis: Hypothesis, result: HypothesisResult) -> str:
    if result.difference is None:
        return f"{hypothesis.better} above {hypothesis.than}? not run"
    margin = "one seed" if result.margin is None else f"clear from {result.margin:.1f}"
    return f"{hypothesis.better} above {hypothesis.than}? {result.answer} ({result.difference:+.1f} AP; {margin})"


def _ranking_line(ranking: RankAgreement) -> str:
    if ranking.correlation is None:
        return f"rank correlation with the full schedule: unknown; rows that have run at both: {ranking.rows}"
    return f"rank correlation with the full schedule: {ranking.correlation:.2f} (Spearman) over {counted(ranking.rows, 'row')}"
