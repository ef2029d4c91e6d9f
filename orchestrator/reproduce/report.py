"""Show verdicts: a table with a cell for each printed number, and the outcome of each claim."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.reproduce.agreement import Agreement
from orchestrator.reproduce.baseline_check import ACCEPT, BaselineCheck, check_of, described
from orchestrator.reproduce.comparison import Comparison
from orchestrator.reproduce.hypothesis import HypothesisResult, compare
from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.results import Judged, Results, ap_values
from orchestrator.reproduce.tables import METRICS, Hypothesis

WIDTH = 190
MEANINGLESS = {
    "smoke": "FIDELITY smoke: two steps on drawn images, random weights where none are here. These numbers mean nothing.",
    "short": "FIDELITY short: a third of each schedule, a quarter of COCO and VOC. Differences between rows may be compared, printed numbers may not.",
}


def verdict_content(
    agenda: RunPlan, rows: Sequence[Judged], results: Results, ranking: Agreement | None = None
) -> dict[str, Any]:
    """Return the verdicts as ``--json`` prints them."""
    claims = [(claim, judgement) for claim, judgement in judged_claims(agenda, results)]
    return {
        "suites": [suite.name for suite in agenda.suites],
        "fidelity": agenda.options.fidelity,
        "rows": [_row_content(found) for found in rows],
        "claims": [dict(vars(claim)) | dict(vars(judgement)) for claim, judgement in claims],
        "checks": [dict(vars(check)) for check in checks(agenda, results)],
        "counts": counts(rows),
        "ranking": ranking and dict(vars(ranking)),
    }


def print_verdicts(agenda: RunPlan, rows: Sequence[Judged], results: Results, ranking: Agreement | None = None) -> None:
    """Print the verdicts for people: measured and printed AP in percent, and the conclusion.

    ``ranking`` is how a shortened reproduction agrees with the full one.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    if agenda.options.fidelity in MEANINGLESS:
        console.print(MEANINGLESS[agenda.options.fidelity], markup=False)
    console.print(_table(rows))
    for check in checks(agenda, results):
        console.print(_check_line(check), markup=False, highlight=False)
    for claim, judgement in judged_claims(agenda, results):
        console.print(_claim_line(claim, judgement), markup=False, highlight=False)
    if ranking is not None:
        console.print(_ranking_line(ranking), markup=False, highlight=False)
    numbers = ", ".join(f"{number} {kind}" for kind, number in counts(rows).items())
    console.print(f"cells: {numbers}", markup=False, highlight=False)


def checks(agenda: RunPlan, results: Results) -> list[BaselineCheck]:
    """Return the checks of public weights that rows rest on, as far as they have been evaluated."""
    gates = dict.fromkeys(gate for unit in agenda.units.values() for gate in unit.gates)
    values = {gate: ap_values(agenda, gate, results) for gate in gates}
    known = {gate: found[0] for gate, found in values.items() if found and math.isfinite(found[0])}
    return [check_of(gate, value, accept=agenda.options.accept_teacher_ap) for gate, value in known.items()]


def judged_claims(agenda: RunPlan, results: Results) -> list[tuple[Hypothesis, HypothesisResult]]:
    """Return each claim of the suites with the evidence from the seeds."""
    return [
        (claim, compare(ap_values(agenda, claim.better, results), ap_values(agenda, claim.than, results)))
        for suite in agenda.suites
        for claim in suite.claims
    ]


def counts(rows: Sequence[Judged]) -> dict[str, int]:
    """Return how many cells have each verdict."""
    return dict(Counter(cell.kind for row in rows for cell in row.cells.values()))


def cell_text(cell: Comparison) -> str:
    """Return one cell: measured, printed and verdict."""
    measured = "" if cell.mean is None else f"{cell.mean:.1f}"
    spread = "" if cell.error is None else f"±{cell.error:.1f}"
    if cell.kind == "not printed":
        return f"{measured}{spread}" or "-"
    if cell.kind == "not run":
        return f"not run ({cell.printed:.1f})" if cell.printed is not None else "not run"
    if cell.kind == "reproduced":
        return f"{measured}{spread} = {cell.printed:.1f}"
    return f"{measured}{spread} off by {cell.difference:+.1f}"


def _table(rows: Sequence[Judged]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("table", "row", "seeds", *(metric.replace("mAP", "AP") for metric in METRICS), "note"):
        table.add_column(title, overflow="fold")
    for found in rows:
        cells = [cell_text(found.cells[metric]) if metric in found.cells else "" for metric in METRICS]
        name = f"{found.row.label} {found.variant}".strip()
        table.add_row(*map(Text, (found.row.table, name, str(found.seeds), *cells, found.note)))
    return table


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


def _claim_line(claim: Hypothesis, judgement: HypothesisResult) -> str:
    if judgement.difference is None:
        return f"{claim.better} above {claim.than}? not run"
    margin = "one seed" if judgement.margin is None else f"clear from {judgement.margin:.1f}"
    return f"{claim.better} above {claim.than}? {judgement.answer} ({judgement.difference:+.1f} AP; {margin})"


def _ranking_line(ranking: Agreement) -> str:
    if ranking.correlation is None:
        return f"rank correlation with the full schedule: unknown, {ranking.rows} rows have run at both"
    return f"rank correlation with the full schedule: {ranking.correlation:.2f} (Spearman) over {ranking.rows} rows"
