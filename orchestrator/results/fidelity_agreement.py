"""Measure how well a shortened study orders its rows: the rank correlation with the same study at full length."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol, TypeVar

from orchestrator.results.comparability import comparable_groups
from orchestrator.results.rank_correlation import RankAgreement, agreement_of
from orchestrator.results.rows import ranked_rows
from orchestrator.results.trial import Trial


class Named(Trial, Protocol):
    """Describe a trial with the name of its row: the method and the searched values, which both lengths share."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def fidelity_agreement(short: Sequence[T], full: Sequence[T]) -> RankAgreement:
    """Return how the means of the rows of students agree that have finished at both lengths."""
    return agreement_of(_means(short), _means(full))


def _means(trials: Sequence[T]) -> Mapping[Hashable, float]:
    rows = [ranked.row for group in comparable_groups(trials) for ranked in ranked_rows(group)]
    return {
        (row.kind, row.first.name): row.merit.mean for row in rows if row.kind != "teacher" and row.merit is not None
    }
