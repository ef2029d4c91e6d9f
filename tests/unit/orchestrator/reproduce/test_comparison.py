"""A cell is judged by its distance from the printed number, its seeds and their spread."""

import math

import pytest

from orchestrator.reproduce.baseline_check import check_of, why_rejected
from orchestrator.reproduce.comparison import judge
from orchestrator.reproduce.hypothesis import compare
from orchestrator.reproduce.report import cell_text
from orchestrator.results.rank_correlation import spearman

NAN = float("nan")
ZOO = "retinanet_r101_fpn_1x_coco"  # 38.5 in its zoo, 38.1 in the paper


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([43.2], "reproduced"),
        ([43.7], "reproduced"),
        ([42.7], "reproduced"),
        ([43.71], "off"),
        ([42.69], "off"),
        ([43.5, 43.5], "reproduced"),
        ([42.9, 42.9], "reproduced"),
        ([43.51, 43.51], "off"),
        ([42.89, 42.89], "off"),
    ],
)
def test_one_seed_may_differ_by_half_a_point_and_several_by_three_tenths(values, kind):
    assert judge(43.2, values, len(values)).kind == kind


def test_seeds_that_differ_much_allow_two_standard_errors():
    # 42.0 and 43.0: deviation 1/sqrt(2), standard error 1/2, so 1.0 is allowed around their mean of 42.5.
    assert judge(43.5, [42.0, 43.0], 2).kind == "reproduced"
    off = judge(43.51, [42.0, 43.0], 2)
    assert off.kind == "off"
    assert off.difference == pytest.approx(-1.01)
    assert off.tolerance == pytest.approx(1.0)
    assert off.error == pytest.approx(0.5)


def test_a_single_seed_is_marked_and_so_are_seeds_that_are_missing():
    assert judge(43.2, [43.2], 1).note == "one seed"
    few = judge(43.2, [43.6], 3)
    assert (few.kind, few.note) == ("reproduced", "1 of 3 seeds, one seed")
    assert judge(43.2, [43.6, 43.6], 3).kind == "off"


def test_what_is_no_number_counts_as_not_run_and_spoils_no_mean():
    alone = judge(43.2, [NAN], 1)
    assert (alone.kind, alone.mean, alone.note) == ("not run", None, "1 not a number")
    among = judge(43.2, [43.0, NAN, 43.2], 3)
    assert (among.kind, among.note) == ("reproduced", "1 not a number")
    assert among.mean == pytest.approx(43.1)
    assert judge(43.2, [math.inf], 1).kind == "not run"


def test_nothing_measured_is_not_run_and_nothing_printed_is_not_printed():
    assert judge(43.2, [], 3).kind == "not run"
    assert judge(None, [43.2], 1).kind == "not printed"
    assert judge(None, [], 1).kind == "not printed"
    assert judge(0.0, [0.0], 1).kind == "reproduced"


@pytest.mark.parametrize(
    ("printed", "values", "text"),
    [
        (43.2, [43.4], "43.4 = 43.2"),
        (43.2, [43.0, 43.2], "43.1±0.1 = 43.2"),
        (43.2, [41.0], "41.0 off by -2.2"),
        (43.2, [46.0, 46.0], "46.0±0.0 off by +2.8"),
        (43.2, [], "not run (43.2)"),
        (None, [NAN], "not run"),
        (None, [43.44], "43.4"),
        (None, [43.0, 43.2], "43.1±0.1"),
        (None, [], "-"),
    ],
)
def test_a_cell_says_what_was_measured_and_what_is_printed(printed, values, text):
    assert cell_text(judge(printed, values, max(1, len(values)))) == text


@pytest.mark.parametrize(
    ("ap", "passes"),
    [
        (38.5, True),
        (38.3, True),
        (38.7, True),
        (38.26, True),
        (38.74, True),
        (38.24, False),
        (38.76, False),
        (NAN, False),
    ],
)
def test_weights_are_held_to_their_zoo_and_not_to_the_printed_figure(ap, passes):
    """Figures have one decimal, and so has what is compared with them."""
    assert (why_rejected(ZOO, ap) is None) is passes


@pytest.mark.parametrize(
    ("weights", "ap", "passes"),
    [
        ("gfl_r101_fpn_ms-2x_coco", 44.93, True),  # its zoo gives 44.7, CrossKD's README and the paper 44.9
        ("gfl_r101_fpn_ms-2x_coco", 45.1, True),
        ("gfl_r101_fpn_ms-2x_coco", 44.4, True),  # LD's README gives 44.6
        ("gfl_r101_fpn_ms-2x_coco", 45.16, False),
        ("gfl_r101_fpn_ms-2x_coco", 44.34, False),
        ("yolox_s_8xb8-300e_coco", 40.26, True),  # 40.5 in its zoo, 40.3 in the paper
        ("yolox_s_8xb8-300e_coco", 40.1, True),
        ("yolox_s_8xb8-300e_coco", 40.0, False),
        ("gfl_r50_fpn_1x_coco", 40.0, True),
        ("gfl_r50_fpn_1x_coco", 39.9, False),
    ],
)
def test_every_figure_that_is_published_for_a_file_is_accepted(weights, ap, passes):
    assert (why_rejected(weights, ap) is None) is passes


def test_a_check_holds_all_figures_and_whether_it_was_accepted():
    weights = "gfl_r101_fpn_ms-2x_coco"
    fine, wrong, accepted = (
        check_of(weights, 44.9, accept=True),
        check_of(weights, 41.0),
        check_of(weights, 41.0, accept=True),
    )
    assert (fine.objection, fine.accepted) == (None, False)
    assert fine.published == {"CrossKD's README": 44.9, "BCKD's paper": 44.9, "LD's README": 44.6}
    assert (wrong.accepted, accepted.accepted) == (False, True)
    assert accepted.objection == wrong.objection


def test_wrong_weights_are_named_with_both_figures():
    message = why_rejected(ZOO, 0.1)
    assert message is not None
    assert all(word in message for word in (ZOO, "0.1", "38.5", "--accept-teacher-ap"))
    assert "could not be evaluated" in str(why_rejected(ZOO, None))


@pytest.mark.parametrize(
    ("better", "than", "answer"),
    [
        ([50.0, 50.2], [44.0, 44.2], "yes"),
        ([44.0, 44.2], [50.0, 50.2], "no"),
        ([45.0, 47.0], [44.0, 46.0], "undecided"),
        ([50.0], [44.0], "undecided"),
        ([24.28, 23.72], [22.88, 22.32], "undecided"),  # 24.0 ± 0.4 and 22.6 ± 0.4: a tie, as everywhere
        ([50.0, 50.2], [], "not run"),
        ([NAN], [44.0], "not run"),
    ],
)
def test_a_claim_is_decided_only_where_rows_would_rank_apart(better, than, answer):
    assert compare(better, than).answer == answer


def test_the_margin_of_a_claim_is_students_t_times_the_standard_error_of_the_difference():
    # Standard errors 1 and 1, and 4.303 for the two degrees of freedom.
    result = compare([46.0, 48.0], [44.0, 46.0])
    assert result.margin == pytest.approx(4.3027 * math.sqrt(2), abs=1e-4)
    assert result.difference == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1.0, 2.0, 3.0], [10.0, 20.0, 25.0], 1.0),
        ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], -1.0),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0], 1 - 6 * 2 / (4 * 15)),  # 1 - 6 sum d^2 / (n (n^2 - 1))
        ([1.0, 1.0, 2.0], [1.0, 2.0, 3.0], 1.5 / math.sqrt(1.5 * 2.0)),  # ranks 1.5, 1.5, 3
        ([1.0, 1.0], [1.0, 2.0], None),
    ],
)
def test_spearmans_correlation_of_ranks(first, second, expected):
    found = spearman(first, second)
    assert found is None if expected is None else found == pytest.approx(expected)
