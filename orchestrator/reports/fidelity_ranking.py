"""Measure how well a shortened study ranks its rows: the rank correlation with the same study at full length."""

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.results.fidelity_agreement import fidelity_agreement
from orchestrator.results.rank_correlation import RankAgreement
from orchestrator.results.result import TrialResult
from orchestrator.study.load import LoadedStudy
from orchestrator.study.wording import counted
from orchestrator.tracking.results import results_on_disk
from trainers.schema.record import DamagedFile


def ranking_of(loaded: LoadedStudy, store: Store, results: Iterable[TrialResult]) -> RankAgreement | None:
    """Return how a short study ranks its students beside the full one in the same store; ``None`` at other fidelities.

    Raises ``OperationError`` where a trial of the full study is damaged.
    """
    if loaded.study.fidelity != "short":
        return None
    full = replace(loaded, study=loaded.study.model_copy(update={"fidelity": "full"}))
    try:
        whole = results_on_disk(make_plan(full, store), {})
    except DamagedFile as error:
        raise OperationError(str(error)) from error
    return fidelity_agreement(list(results), whole)


def ranking_line(ranking: RankAgreement) -> str:
    """Return the rank correlation as a sentence."""
    if ranking.correlation is None:
        return f"ranking: unknown beside the full study; rows that have finished at both lengths: {ranking.rows}"
    rows = counted(ranking.rows, "row")
    return f"ranking: rank correlation with the full study {ranking.correlation:.2f} (Spearman) over {rows}"
