"""Measure how well a shortened reproduction ranks its rows: Spearman's correlation with the full one."""

from collections.abc import Hashable

from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.results import Results, judged
from orchestrator.results.rank_correlation import RankAgreement, agreement_of


def agreement(short: tuple[RunPlan, Results], full: tuple[RunPlan, Results]) -> RankAgreement:
    """Return how the rows' order of mean AP agrees between a short and a full reproduction of the same rows."""
    return agreement_of(_means(*short), _means(*full))


def _means(run_plan: RunPlan, results: Results) -> dict[Hashable, float]:
    """Return the mean AP of each trained row, by its study and variant; public weights are the same at every fidelity."""
    cells = {(found.row.study, found.variant): found.cells["mAP"].mean for found in judged(run_plan, results)}
    return {name: mean for name, mean in cells.items() if mean is not None and name[0]}
