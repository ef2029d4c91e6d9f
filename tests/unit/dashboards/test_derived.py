"""The numbers that stand beside the table: alpha grid, importance, rungs, fronts, curves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from dashboards.curves import packed, thinned
from dashboards.pareto import front
from dashboards.schema import Snapshot
from dashboards.snapshot import Query, snapshot
from orchestrator.results.rank_correlation import spearman
from tests.unit.dashboards.fake_tracking import AP, START, FakeTracking, taught_by

TEACHER = taught_by("0000000000aa")
FINITE = st.floats(-1e6, 1e6)


def taken(store: FakeTracking) -> Snapshot:
    return snapshot(store, Query(now=START + 7200))


def grid(points: dict[tuple[str, str], list[float]], method: str = "bckd") -> FakeTracking:
    store = FakeTracking()
    study = store.study("s")
    for (alpha1, alpha2), scores in points.items():
        for seed, score in enumerate(scores):
            params = {"method.alpha1": alpha1, "method.alpha2": alpha2, "seed": str(seed)}
            store.trial(study, method, {AP: [score]}, params=params | TEACHER)
    return store


def test_alpha_grid_holds_means_in_numerical_order_with_gaps():
    points = {("10.0", "2.0"): [0.3], ("2.0", "2.0"): [0.40, 0.42], ("2.0", "4.0"): [0.5]}
    [found] = taken(grid(points))["alpha"]
    assert (found["xs"], found["ys"]) == ([2.0, 10.0], [2.0, 4.0])
    assert found["mean"] == [[0.41, 0.3], [0.5, None]]
    assert found["n"] == [[2, 1], [1, 0]]
    assert found["spread"][0][0] == pytest.approx(0.0141421356)
    assert found["paper"] == [1.0, 4.0]


def test_alpha_grid_needs_two_points_and_numbers():
    assert taken(grid({("1.0", "4.0"): [0.4, 0.41]}))["alpha"] == []
    assert taken(grid({("nan", "4.0"): [0.4], ("x", "4.0"): [0.4]}))["alpha"] == []


def test_importance_finds_the_setting_that_matters():
    points = {(str(a), str(b)): [0.30 + 0.1 * a + 0.0001 * ((7 * b) % 5)] for a in range(6) for b in range(6)}
    [found] = taken(grid(points))["importance"]
    assert sum(found["values"].values()) == pytest.approx(1.0)
    assert found["values"]["method.alpha1"] > 0.9
    assert found["directions"]["method.alpha1"] == pytest.approx(1.0, abs=0.02)
    low, high = found["ranges"]["method.alpha1"]
    assert 0 <= low <= high <= 1
    assert low > found["ranges"]["method.alpha2"][1]


@pytest.mark.parametrize("matters", ["alpha1", "alpha2"])
def test_the_setting_that_matters_most_stands_first(matters):
    points = {(str(a), str(b)): [0.30 + 0.1 * (a if matters == "alpha1" else b)] for a in range(6) for b in range(6)}
    [found] = taken(grid(points))["importance"]
    assert next(iter(found["values"])) == f"method.{matters}"


def test_importance_says_why_there_is_none():
    [few] = taken(grid({("1.0", "2.0"): [0.4], ("2.0", "2.0"): [0.5]}))["importance"]
    [equal] = taken(grid({(str(a), "2.0"): [0.4] for a in range(12)}))["importance"]
    assert few["values"] == equal["values"] == {}
    assert "needs 10 trials" in few["reason"]
    assert "same result" in equal["reason"]


def test_importance_says_that_no_trial_has_all_settings():
    """Of two settings each exists beside certain values of the other only, as a weight and the share that it holds."""
    store = FakeTracking()
    study = store.study("conditional")
    for number in range(12):
        key = "method.weight" if number % 2 else "method.weight.grad_share"
        curves = {"coco/bbox_mAP": [0.3 + 0.01 * number]}
        store.trial(study, "cwd", curves, params={key: str(number), "seed": "0"})
    [found] = taken(store)["importance"]
    assert found["reason"] == "needs 10 trials that have all searched settings; of 12 with a result 0 do"


def test_importance_takes_settings_that_are_words():
    store = FakeTracking()
    study = store.study("s")
    for number in range(20):
        variant = "official" if number % 2 else "paper"
        params = {"method.variant": variant, "method.alpha1": str(number % 5)}
        store.trial(study, "bckd", {AP: [0.5 if variant == "paper" else 0.3 + 0.001 * number]}, params=params | TEACHER)
    [found] = taken(store)["importance"]
    assert max(found["values"], key=found["values"].__getitem__) == "method.variant"
    assert found["directions"].keys() == {"method.alpha1"}  # words have no direction


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_rank_correlation_agrees_with_scipy(pairs):
    one, other = zip(*pairs, strict=True)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert spearman(one, other) is None
    else:
        assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)


def test_rungs_compare_each_epoch_with_the_end_over_finished_trials():
    store = FakeTracking()
    study = store.study("s")
    for number, curve in enumerate([[0.1, 0.2, 0.30], [0.2, 0.1, 0.40], [0.3, 0.3, 0.50], [0.4, 0.4, 0.45]]):
        store.trial(study, "bckd", {AP: curve}, params=TEACHER | {"method.alpha1": str(number)})
    store.trial(study, "bckd", {AP: [0.9]}, params=TEACHER | {"method.alpha1": "9"}, outcome="stopped")
    [found] = taken(store)["rungs"]
    assert found["epochs"] == [1, 2, 3]
    assert found["n"] == [4, 4, 4]
    # Ranks at the end 1 2 4 3; at epoch 1 they are 1 2 3 4, at epoch 2 they are 2 1 3 4: 1 - 6 sum(d²) / (4 * 15).
    assert found["rho"] == pytest.approx([0.8, 0.6, 1.0])


def test_rungs_need_three_trials():
    assert taken(grid({("1.0", "2.0"): [0.4], ("2.0", "2.0"): [0.5]}))["rungs"] == []


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_front_holds_what_nothing_dominates(costs):
    points = [(str(index), float(cost), float(value)) for index, (cost, value) in enumerate(costs)]
    dominated = {
        name
        for name, cost, value in points
        for _, c, v in points
        if c <= cost and v >= value and (c < cost or v > value)
    }
    found = front(points)
    kept = {(cost, value) for name, cost, value in points if name not in dominated}
    assert {(cost, value) for name, cost, value in points if name in found} == kept
    assert len(found) == len(kept)  # of equal trials one
    assert [c for n in found for name, c, _ in points if name == n] == sorted(cost for cost, _ in kept)


def test_cost_counts_training_and_evaluation_on_all_devices():
    store = FakeTracking()
    curves = {AP: [0.3, 0.4], "time/train_s": [1700.0, 1700.0], "time/evaluate_s": [100.0, 100.0]}
    study = store.study("s")
    store.trial(study, "bckd", curves, params=TEACHER, devices=8)
    store.trial(study, "bckd", curves, params=TEACHER | {"seed": "1"})
    assert [(trial["gpu_hours"], trial["devices"]) for trial in taken(store)["trials"]] == [(8.0, 8), (1.0, None)]


def test_cost_of_an_elastic_trial_counts_the_workers_of_each_epoch():
    store = FakeTracking()
    curves = {
        AP: [0.3, 0.4],
        "time/train_s": [1700.0, 3400.0],
        "time/evaluate_s": [100.0, 200.0],
        "workers": [8.0, 2.5],
    }
    store.trial(store.study("s"), "bckd", curves, params=TEACHER, devices=8)
    assert taken(store)["trials"][0]["gpu_hours"] == 4.0 + 2.5


def test_cost_of_a_run_made_elsewhere_is_its_duration():
    store = FakeTracking()
    store.foreign("run", {AP: [0.3]}, started=START, ended=START + 5400)
    assert taken(store)["trials"][0]["gpu_hours"] == 1.5


@given(st.lists(FINITE, min_size=1, max_size=300), st.integers(4, 60))
def test_thinned_curve_keeps_ends_extremes_and_order(values, most):
    curve = list(enumerate(values))
    found = thinned(curve, most)
    assert len(found) <= max(most, 1)
    assert found == sorted(set(found) & set(curve))
    assert {curve[0], curve[-1]} <= set(found)
    assert max(value for _, value in found) == max(values)
    assert min(value for _, value in found) == min(values)


def test_curves_that_share_epochs_write_them_once():
    curves = {
        "a": {AP: [(1, 0.123456789), (2, math.nan)], "lr": [(1, 0.1), (2, 0.01)]},
        "b": {AP: [(2, 0.5)], "x": [(1, 1.0)]},
    }
    assert packed(curves, [AP, "lr"], 100) == {
        "steps": [[1, 2], [2]],
        "runs": {"a": [(0, 0, [0.12346, "NaN"]), (1, 0, [0.1, 0.01])], "b": [(0, 1, [0.5])]},
    }
