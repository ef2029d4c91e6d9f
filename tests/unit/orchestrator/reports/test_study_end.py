"""A study ends with its best student and a gain that claims no more than its seeds allow."""

import pytest

from orchestrator.core.durations import duration
from orchestrator.reports.study_end import end_lines
from tests.unit.orchestrator.results.test_results import AP, result

ALONE, TAUGHT = {"method": "none"}, {"params": {"method.alpha1": 1.0}}


def seeds(values, **settings):
    return [result(value, seed=seed, **settings) for seed, value in enumerate(values)]


def gain(results, planned=(0,)):
    return end_lines(results, planned)[1].removeprefix("gain:    ")


def test_the_best_student_is_named_with_its_weights():
    best = end_lines([*seeds([0.2], **ALONE), *seeds([0.25], **TAUGHT)], [0])[0]
    assert best.startswith("best:    bckd alpha1=1.0 seed=0 (trial ")
    assert "AP 25.0, " in best


def test_one_seed_says_nothing_and_the_remedy_keeps_the_seed_that_is_trained():
    found = gain([*seeds([0.2], **ALONE), *seeds([0.25], **TAUGHT)], [7])
    assert found == "+5.0 AP over none; one seed says nothing: add --set 'search.seeds=[7,8,9]'"


def test_one_finished_seed_of_several_is_no_reason_to_add_more():
    found = gain([*seeds([0.2], **ALONE), *seeds([0.25], **TAUGHT)], [0, 1, 2])
    assert found == "+5.0 AP over none; only one seed of each has finished, which says nothing"


def test_the_interval_is_that_of_the_ranking():
    # Means 0.21 and 0.26, pooled spread 0.01 with 4 degrees of freedom: 2.7764 * 0.01 * sqrt(2 / 3) = 0.0227.
    found = gain([*seeds([0.2, 0.21, 0.22], **ALONE), *seeds([0.25, 0.26, 0.27], **TAUGHT)], [0, 1, 2])
    assert found == "+5.0 AP over none (3 seeds each), 95 % interval +2.7 to +7.3"


def test_an_interval_that_holds_zero_is_undecided():
    # Means 0.21 and 0.22, pooled spread 0.0141 with 2 degrees of freedom: 4.3027 * 0.0141 = 0.0609.
    found = gain([*seeds([0.2, 0.22], **ALONE), *seeds([0.21, 0.23], **TAUGHT)], [0, 1])
    assert found == "+1.0 AP over none (2 seeds each), 95 % interval -5.1 to +7.1; it holds 0: undecided"


def test_a_single_seed_beside_repeated_rows_takes_their_spread():
    found = gain([*seeds([0.2, 0.21, 0.22], **ALONE), *seeds([0.3], **TAUGHT)])
    # Spread 0.01 with 2 degrees of freedom: 4.3027 * 0.01 * sqrt(1 + 1 / 3) = 0.0497.
    assert found == "+9.0 AP over none (1 seed against 3), 95 % interval +4.0 to +14.0"


@pytest.mark.parametrize(
    ("results", "says"),
    [
        ([*seeds([0.3], **ALONE), *seeds([0.25], **TAUGHT)], "none; the best student is one trained alone"),
        (seeds([0.25], **TAUGHT), "unknown; no student trained alone has finished, see search.baseline"),
    ],
)
def test_there_is_not_always_a_gain(results, says):
    assert gain(results).startswith(says)


def test_without_a_finished_student_there_is_no_best():
    assert end_lines([result(status="failed", metrics={})], [0]) == ["best:    no finished student has been evaluated"]


def test_a_metric_that_no_finished_student_has_is_named_and_so_is_one_that_only_the_student_alone_lacks():
    lacking = [result(0.2, method="none", metric="loss/pkd"), result(0.3, metric="loss/pkd")]
    running = result(status="unfinished", metrics={"loss/pkd": 1.0}, metric="loss/pkd")
    assert end_lines([*lacking, running], [0]) == ["best:    no finished student has loss/pkd"]
    taught = result(metrics={AP: 0.3, "loss/pkd": 1.0}, metric="loss/pkd")
    assert gain([lacking[0], taught]) == "unknown; the student trained alone has no loss/pkd"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3569, "59 min"), (3600, "1 h"), (4800, "1 h 20 min"),
     (86_399, "24 h"), (90_000, "1 d 1 h"), (-3, "0 s")],
)  # fmt: skip
def test_a_duration_has_two_units_at_most(seconds, text):
    assert duration(seconds) == text
