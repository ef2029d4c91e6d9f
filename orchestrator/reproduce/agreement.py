"""Measure how well a shortened reproduction ranks its rows: Spearman's correlation with the full one."""

from dataclasses import dataclass

from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.results import Results, judged
from orchestrator.results.rank_correlation import spearman


@dataclass(frozen=True)
class Agreement:
    """Hold the rank correlation of mean AP over the rows that ran at both fidelities; ``None`` below three rows."""

    rows: int
    correlation: float | None


def agreement(short: tuple[RunPlan, Results], full: tuple[RunPlan, Results]) -> Agreement:
    """Return how the rows' order of mean AP agrees between a short and a full reproduction of the same rows."""
    few, whole = (_means(*each) for each in (short, full))
    both = [name for name in few if name in whole]
    if len(both) < 3:
        return Agreement(len(both), None)
    return Agreement(len(both), spearman([few[name] for name in both], [whole[name] for name in both]))


def _means(run_plan: RunPlan, results: Results) -> dict[tuple[str, str], float]:
    """Return the mean AP of each trained row, by its study and variant; public weights are the same at every fidelity."""
    cells = {(found.row.study, found.variant): found.cells["mAP"].mean for found in judged(run_plan, results)}
    return {name: mean for name, mean in cells.items() if mean is not None and name[0]}
