import math

import pytest

from dashboards.ranking import Sample, intervals, ranks


def ranked(samples: list[Sample]) -> list[int]:
    return ranks([sample.mean for sample in samples], intervals(samples))


def test_interval_is_two_standard_errors_to_each_side():
    [(low, high)] = intervals([Sample(0.40, 0.006, 9)])
    assert (low, high) == pytest.approx((0.396, 0.404))


def test_single_value_borrows_the_pooled_spread_of_the_others():
    # Variances 0.0001 (2 degrees of freedom) and 0.0004 (1): the pooled one is 0.0002.
    samples = [Sample(0.5, 0.01, 3), Sample(0.4, 0.02, 2), Sample(0.3, None, 1)]
    assert intervals(samples)[2] == pytest.approx((0.3 - 2 * math.sqrt(2e-4), 0.3 + 2 * math.sqrt(2e-4)))


def test_without_any_spread_values_rank_alone():
    assert ranked([Sample(0.1, None, 1), Sample(0.3, None, 1), Sample(0.2, None, 1), Sample(0.3, None, 1)]) == [
        4,
        1,
        3,
        1,
    ]


def test_rows_within_the_spread_of_the_first_share_its_rank():
    within, beyond = Sample(0.395, 0.006, 9), Sample(0.380, 0.006, 9)
    assert ranked([beyond, Sample(0.40, 0.006, 9), within]) == [3, 1, 1]


def test_overlap_with_the_second_does_not_reach_the_first():
    chain = [Sample(0.400, 0.006, 9), Sample(0.394, 0.006, 9), Sample(0.388, 0.006, 9)]
    assert ranked(chain) == [1, 1, 3]


def test_a_wide_row_cannot_jump_over_one_that_is_apart():
    best, apart, wide = Sample(0.40, 0.001, 4), Sample(0.39, 0.001, 4), Sample(0.38, 0.1, 4)
    assert ranked([best, apart, wide]) == [1, 2, 2]


def test_zero_is_a_mean_like_any_other():
    assert ranked([Sample(0.0, None, 1), Sample(-0.1, None, 1)]) == [1, 2]


def test_nothing_to_rank():
    assert ranked([]) == []
