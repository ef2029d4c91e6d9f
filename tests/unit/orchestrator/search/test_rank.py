"""Ranks say what the seeds can say."""

import pytest

from orchestrator.search.rank import ranks, student_t


# scipy.stats.t.ppf(0.975, n), from printed tables
@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_t(freedom) == pytest.approx(quantile, rel=0.01)


def test_differences_within_the_spread_are_ties() -> None:
    # pooled spread 0.01 with 6 degrees of freedom: clearly better by 2.447 * 0.01 * sqrt(2 / 3) = 0.020
    assert ranks([0.40, 0.41, 0.30], [0.01, 0.01, 0.01], [3, 3, 3]) == [1, 1, 3]
    assert ranks([0.40, 0.4201, 0.30], [0.01, 0.01, 0.01], [3, 3, 3]) == [2, 1, 3]


def test_a_wide_spread_ranks_nobody_and_one_seed_neither() -> None:
    assert ranks([0.40, 0.41, 0.30], [0.2, 0.2, 0.2], [3, 3, 3]) == [1, 1, 1]
    assert ranks([0.40, 0.41], [None, None], [1, 1]) is None


def test_a_row_with_one_seed_needs_a_larger_lead() -> None:
    assert ranks([0.425, 0.40, 0.30], [None, 0.01, 0.01], [1, 3, 3]) == [1, 1, 3]
    assert ranks([0.45, 0.40, 0.30], [None, 0.01, 0.01], [1, 3, 3]) == [1, 2, 3]
