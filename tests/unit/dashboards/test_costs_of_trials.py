"""Pages know what detectors cost, and which trials no other beats in both cost and result."""

from dashboards.snapshot import Query, snapshot
from tests.unit.dashboards.fake_tracking import AP, START, FakeTracking


def taken(store: FakeTracking):
    return snapshot(store, Query(now=START + 7200))


def store_of_widths() -> tuple[FakeTracking, dict[str, str]]:
    """Return a store of three students: the middle one is larger than the smallest and no better."""
    store, runs = FakeTracking(), {}
    study = store.study("widths")
    for width, ap, parameters in (("0.25", 0.30, 2e6), ("0.5", 0.29, 8e6), ("1.0", 0.40, 32e6)):
        runs[width] = store.trial(study, "none", {AP: [ap / 2, ap]}, params={"student.width": width, "seed": "0"})
        store.cost(runs[width], parameters=parameters, latency_ms=parameters / 1e6)
    return store, runs


def test_trials_and_rows_have_the_costs_that_were_measured():
    store, runs = store_of_widths()
    unmeasured = store.trial(store.study("more"), "none", {AP: [0.1]}, params={"student.width": "0.75"})
    found = taken(store)
    costs = {trial["run"]: trial["cost"] for trial in found["trials"]}
    assert costs[runs["0.5"]] == {"parameters": 8e6, "latency_ms": 8.0}
    assert costs[unmeasured] == {}
    assert {row["runs"][0]: row["cost"] for row in found["rows"]} == costs


def test_costs_are_no_metrics_to_choose_or_to_draw_over_epochs():
    store, _ = store_of_widths()
    found = taken(store)
    assert found["metrics"] == [AP]
    assert [trial["epoch"] for trial in found["trials"]] == [2, 2, 2]


def test_there_is_a_front_for_each_cost():
    store, runs = store_of_widths()
    fronts = {found["cost"]: found["front"] for found in taken(store)["pareto"]}
    assert list(fronts) == ["gpu_hours", "parameters", "latency_ms"]
    assert fronts["parameters"] == fronts["latency_ms"] == [runs["0.25"], runs["1.0"]]
