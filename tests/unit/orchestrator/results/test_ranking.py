"""Ranks say what the seeds can say."""

import random

import pytest

from orchestrator.results.ranking import ROUNDING, paired, pooled, ranks, student_t
from orchestrator.results.sample import Sample


def several(*means: float, spread: float | None, n: int) -> list[Sample]:
    return [Sample(mean, spread, n) for mean in means]


# From printed tables.
@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_t(freedom) == pytest.approx(quantile, abs=0.0005)


def test_differences_within_the_spread_are_ties() -> None:
    # pooled spread 0.01 with 6 degrees of freedom: clearly better by 2.447 * 0.01 * sqrt(2 / 3) = 0.020
    assert ranks(several(0.40, 0.41, 0.30, spread=0.01, n=3)) == [1, 1, 3]
    assert ranks(several(0.40, 0.4201, 0.30, spread=0.01, n=3)) == [2, 1, 3]


def test_two_seeds_say_little() -> None:
    # Two standard errors around each mean would call this apart: with 2 degrees of freedom t is 4.3.
    assert ranks([Sample(0.240, 0.004, 2), Sample(0.226, 0.004, 2)]) == [1, 1]
    assert ranks([Sample(0.244, 0.004, 2), Sample(0.226, 0.004, 2)]) == [1, 2]


def test_a_wide_spread_ranks_nobody_and_one_seed_neither() -> None:
    assert ranks(several(0.40, 0.41, 0.30, spread=0.2, n=3)) == [1, 1, 1]
    assert ranks(several(0.40, 0.41, spread=None, n=1)) is None


def test_one_row_alone_has_no_rank() -> None:
    assert ranks([Sample(0.4, 0.01, 3)]) is None
    assert ranks([]) is None


def test_a_row_with_one_seed_needs_a_larger_lead() -> None:
    others = several(0.40, 0.30, spread=0.01, n=3)
    assert ranks([Sample(0.425, None, 1), *others]) == [1, 1, 3]
    assert ranks([Sample(0.45, None, 1), *others]) == [1, 2, 3]


def test_the_interval_is_that_of_the_pooled_spread() -> None:
    # Variances 0.0001 (2 degrees of freedom) and 0.0004 (1): the pooled one is 0.0002, t of 3 is 3.182.
    samples = [Sample(0.5, 0.01, 3), Sample(0.4, 0.02, 2), Sample(0.3, None, 1)]
    common = pooled(samples)
    assert common is not None
    assert common.interval(samples[2]) == pytest.approx((0.3 - 3.1824 * 2e-4**0.5, 0.3 + 3.1824 * 2e-4**0.5), abs=1e-5)


def test_pairs_leave_out_what_a_seed_does_to_all_rows_alike() -> None:
    # Two-way analysis of variance by hand: residuals of +-0.005 around rows of 0.35 and 0.45 and seeds of 0.3 and 0.5.
    common = paired([[0.255, 0.445], [0.345, 0.555]])
    assert common is not None
    assert (common.freedom, common.spread) == (1, pytest.approx(0.01))
    assert paired([[0.1, 0.2]]) is None
    assert paired([[0.1], [0.2]]) is None
    assert paired([]) is None


def test_zero_is_a_mean_like_any_other() -> None:
    assert ranks([Sample(0.0, 0.0, 2), Sample(-0.1, 0.0, 2)]) == [1, 2]


def test_ranks_count_the_rows_that_are_clearly_better_one_by_one() -> None:
    drawn = random.Random(5)
    for _ in range(50):
        means = [drawn.choice([0.3, 0.31, 0.32, drawn.random()]) for _ in range(12)]
        samples = [Sample(mean, drawn.choice([0.004, 0.02]), drawn.choice([2, 3, 5])) for mean in means]
        samples.append(Sample(0.4, None, 1))
        common = pooled(samples)
        assert common is not None
        plainly = [
            1 + sum(other.mean - one.mean > common.margin(one, other) + ROUNDING for other in samples)
            for one in samples
        ]
        assert ranks(samples) == plainly
