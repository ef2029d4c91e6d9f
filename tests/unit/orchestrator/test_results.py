"""Results are summarised over seeds and printed in percent, with the gain over the student trained alone."""

import io
import math
from typing import Any

import pytest
from rich.console import Console

from orchestrator.table import print_results
from orchestrator.tracking.results import COLUMNS, TrialResult, best_student, summarise

AP, AP50 = COLUMNS["AP"], COLUMNS["AP50"]


def result(ap: float | None = None, **changes: Any) -> TrialResult:
    """Return one student's result; ``ap`` stands for all of COCO's metrics."""
    metrics = {} if ap is None else dict.fromkeys(COLUMNS.values(), ap)
    common: dict[str, Any] = {
        "id": "0" * 12, "role": "student", "method": "bckd", "params": {}, "seed": 0, "status": "finished",
        "epoch": 3, "metrics": metrics, "last": metrics, "mlflow_run_id": "r", "checkpoint": None,
    }  # fmt: skip
    return TrialResult(**(common | changes))


def table(results: list[TrialResult], width: int = 110) -> str:
    stream = io.StringIO()
    print_results(summarise(results), Console(file=stream, width=width))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def test_rows_differ_in_more_than_the_seed():
    results = [
        result(role="teacher", method="none"),
        result(method="none"),
        result(method="none", seed=1),
        result(params={"method.alpha1": 1.0, "schedule.lr": 0.1}),
        result(params={"schedule.lr": 0.1, "method.alpha1": 1.0}, seed=1),
        result(params={"method.alpha1": 2.0, "schedule.lr": 0.1}),
        result(method="none", seed=2),
    ]
    rows = summarise(results)
    assert [(row.role, row.method, row.seeds) for row in rows] == [
        ("teacher", "none", (0,)),
        ("student", "none", (0, 1, 2)),
        ("student", "bckd", (0, 1)),
        ("student", "bckd", (0,)),
    ]
    assert rows[2].params == results[3].params


def test_mean_and_sample_standard_deviation_over_seeds():
    [row] = summarise([result(0.1, seed=0), result(0.2, seed=1), result(0.6, seed=2)])
    assert row.mean[AP] == pytest.approx(0.3)
    assert row.spread[AP] == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2))


def test_one_seed_has_no_spread():
    [row] = summarise([result(0.25)])
    assert row.mean[AP] == 0.25
    assert row.spread == {}


def test_metrics_that_some_trials_lack_are_averaged_over_those_that_have_them():
    [row] = summarise([result(0.2, metrics={AP: 0.2, AP50: 0.5}), result(seed=1, metrics={AP: 0.4}), result(seed=2)])
    assert row.mean == {AP: pytest.approx(0.3), AP50: 0.5}
    assert set(row.spread) == {AP}
    assert row.seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("aps", "winner"), [((0.0, 0.0), 0), ((None, 0.0), 1), ((0.1, 0.3, 0.3), 1), ((0.0, 0.1), 1), ((), None)]
)
def test_the_best_student_is_the_first_with_the_highest_ap(aps, winner):
    results = [result(0.9, role="teacher"), *(result(ap, seed=n) for n, ap in enumerate(aps))]
    best = best_student(results)
    assert (best.seed if best else None) == winner
    assert best is None or best.role == "student"


GOLDEN = """\
trial                       seeds    status                           AP  AP50  AP75  APs  APm  APl  vs none  rank
teacher                     0        finished                       44.7  62.1  48.5    -    -    -
none                        3 seeds  1 failed, 2 finished     40.0 ± 1.4  60.0     -    -    -    -              1
bckd alpha1=1.0 alpha2=2.0  2 seeds  finished                 43.2 ± 0.0     -     -    -    -    -     +3.2     1
bckd alpha1=1.0 alpha2=4.0  2 seeds  1 stopped, 1 unfinished        38.5     -     -    -    -    -     -1.5     1
bckd alpha1=2.0             0        new                               -     -     -    -    -    -"""


def test_the_table_as_people_see_it():
    teacher = {AP: 0.4471, AP50: 0.6212, COLUMNS["AP75"]: 0.485}
    two, four = {"method.alpha1": 1.0, "method.alpha2": 2.0}, {"method.alpha1": 1.0, "method.alpha2": 4.0}
    results = [
        result(role="teacher", method="none", metrics=teacher),
        result(method="none", metrics={AP: 0.39, AP50: 0.6}),
        result(method="none", seed=1, metrics={AP: 0.41}),
        result(method="none", seed=2, metrics={}, status="failed"),
        result(params=two, metrics={AP: 0.432}),
        result(params=two, seed=1, metrics={AP: 0.432}),
        result(params=four, metrics={AP: 0.385}, status="stopped"),
        result(params=four, seed=1, metrics={}, status="unfinished"),
        result(params={"method.alpha1": 2.0}, metrics={}, status="new"),
    ]
    assert table(results, width=118) == GOLDEN


def test_an_ap_of_zero_is_a_number_and_a_baseline():
    lines = table([result(0.0, method="none"), result(0.0), result(0.1, params={"method.gamma": 2.0})]).splitlines()
    assert lines[1].split()[-6:] == ["0.0"] * 6
    assert [line.split()[-1] for line in lines[2:]] == ["+0.0", "+10.0"]


def test_the_gain_is_over_the_baseline_of_the_same_schedule():
    slow, fast = {"schedule.lr": 0.01}, {"schedule.lr": 0.1}
    lines = table(
        [
            result(0.2, method="none", params=slow),
            result(0.5, method="none", params=fast),
            result(0.3, params={"method.alpha1": 1.0, **slow}),
            result(0.4, params={"method.alpha1": 1.0, **fast}),
        ]
    ).splitlines()
    assert [line.split()[-1] for line in lines[3:]] == ["+10.0", "-10.0"]
    assert lines[1].split()[:2] == ["none", "schedule.lr=0.01"]


def test_the_only_baseline_serves_a_random_search_and_none_serves_where_there_is_no_equal():
    drawn = result(0.3, params={"schedule.lr": 0.03})
    assert table([result(0.2, method="none"), drawn]).splitlines()[-1].split()[-1] == "+10.0"
    others = [result(0.2, method="none", params={"schedule.lr": rate}) for rate in (0.1, 0.2)]
    assert table([*others, drawn]).splitlines()[-1].split()[-1] == "30.0"


def test_a_searched_none_is_a_baseline_too():
    results = [
        result(0.2, method="none", params={"method.kind": "none"}),
        result(0.25, params={"method.kind": "bckd"}),
    ]
    rows = [line.split() for line in table(results).splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows] == [("none", "20.0"), ("bckd", "+5.0")]


def test_a_narrow_terminal_folds_names_and_keeps_numbers():
    text = table([result(0.432, params={"method.alpha1": 1.0, "method.alpha2": 2.0})], width=70)
    assert text.count("43.2") == 6


def test_vocs_columns_appear_where_the_dataset_has_them():
    voc = {AP: 0.25, "voc/mAP": 0.522, "voc/AP50": 0.758}
    shown = table([result(metrics=voc), result(0.2, method="none")], width=150)
    assert "VOC AP" not in table([result(0.2)])
    header, with_voc, without = shown.splitlines()
    assert header.split()[-6:] == ["VOC", "AP", "VOC", "AP50", "vs", "none"]
    assert with_voc.split()[-3:] == ["52.2", "75.8", "+5.0"]
    assert without.split()[-2:] == ["-", "-"]
