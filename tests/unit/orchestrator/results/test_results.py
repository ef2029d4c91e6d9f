"""Results are summarised over finished seeds and printed in percent, with the gain over the student trained alone."""

import io
import itertools
import json
import math
import re
from typing import Any

import pytest

from orchestrator.reports.table import print_results
from orchestrator.results.metric_names import COCO_COLUMNS as COLUMNS
from orchestrator.results.result import TrialResult
from orchestrator.results.sample import Sample
from orchestrator.results.summary import best_student, summarise, summary_json
from tests.unit.orchestrator.reports.pretended import PretendedTerminal
from trainers.schema.costs import DetectorCost

AP, AP50 = COLUMNS["AP"], COLUMNS["AP50"]
NUMBERS = itertools.count()
NAN = math.nan


def result(ap: float | None = None, **changes: Any) -> TrialResult:
    """Return one student's result; ``ap`` stands for all of COCO's metrics."""
    metrics = changes.get("metrics", {} if ap is None else dict.fromkeys(COLUMNS.values(), ap))
    common: dict[str, Any] = {
        "id": f"{next(NUMBERS):012x}", "role": "student", "method": "bckd", "params": {}, "seed": 0, "status": "finished",
        "epoch": 3, "metrics": metrics, "last": metrics, "mlflow_run_id": "r", "checkpoint": None,
    }  # fmt: skip
    return TrialResult(**(common | changes))


def table(results: list[TrialResult]) -> str:
    stream = io.StringIO()
    print_results(summarise(results), stream)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def test_a_result_shows_itself_in_one_short_line():
    shown = repr([result(0.25, id="0abc", seed=3, params={"method.alpha1": 1.0})])
    assert shown == "[<TrialResult 0abc bckd alpha1=1.0 seed=3: finished, AP 25.0>]"
    assert "AP" not in repr(result(status="new"))
    assert "\x1b" not in repr(result(method="\x1b[31m"))


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
    rows = [summary.row for summary in summarise(results)]
    found = [(row.kind, row.first.method, tuple(trial.seed for trial in row.trials)) for row in rows]
    assert found == [
        ("teacher", "none", (0,)),
        ("baseline", "none", (0, 1, 2)),
        ("distilled", "bckd", (0, 1)),
        ("distilled", "bckd", (0,)),
    ]
    assert rows[2].first.params == results[3].params


def test_mean_and_sample_standard_deviation_over_seeds():
    [sample] = [one.row.score for one in summarise([result(0.1, seed=0), result(0.2, seed=1), result(0.6, seed=2)])]
    assert sample is not None
    assert sample.mean == pytest.approx(0.3)
    assert sample.spread == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2))


def test_one_seed_has_no_spread():
    [sample] = [one.row.score for one in summarise([result(0.25)])]
    assert sample == Sample(0.25, None, 1)


def test_metrics_that_some_trials_lack_are_averaged_over_those_that_have_them():
    results = [result(metrics={AP: 0.2, AP50: 0.5}), result(seed=1, metrics={AP: 0.4}), result(seed=2)]
    [row] = [summary.row for summary in summarise(results)]
    assert {key: (sample.mean, sample.n) for key, sample in row.samples.items()} == {
        AP: (pytest.approx(0.3), 2), AP50: (0.5, 1),
    }  # fmt: skip
    assert table(results).splitlines()[1].split()[:4] == ["bckd", "2", "of", "3"]
    assert "50.0 (1 of 2)" in table(results)


@pytest.mark.parametrize(
    ("aps", "winner"),
    [
        ((0.0, 0.0), 0),
        ((None, 0.0), 1),
        ((0.1, 0.3, 0.3), 1),
        ((0.0, 0.1), 1),
        ((NAN, 0.1), 1),
        ((0.1, NAN), 0),
        ((NAN,), None),
        ((), None),
    ],
)
def test_the_best_student_is_the_first_with_the_highest_ap(aps, winner):
    results = [result(0.9, role="teacher"), *(result(ap, seed=n) for n, ap in enumerate(aps))]
    best = best_student(results)
    assert (best.seed if best else None) == winner
    assert best is None or best.role == "student"


GOLDEN = """\
trial                                   seeds         status                           AP           AP50  AP75  APs  APm  APl  vs none  rank
teacher                                 1 seed        finished                       44.7           62.1  48.5    -    -    -
none                                    2 of 3 seeds  1 failed, 2 finished     40.0 ± 1.4  60.0 (1 of 2)     -    -    -    -              1
bckd alpha1=1.0 alpha2=2.0              2 seeds       finished                 43.2 ± 0.3              -     -    -    -    -     +3.2     1
bckd alpha1=1.0 alpha2=4.0              0 of 2 seeds  1 stopped, 1 unfinished           -              -     -    -    -    -
bckd alpha1=1.0 alpha2=4.0 (not final)  seed 0        stopped                        38.5              -     -    -    -    -
bckd alpha1=2.0                         0 of 1 seed   new                               -              -     -    -    -    -
bckd alpha1=3.0 (not final)             seed 0        unfinished                     50.0              -     -    -    -    -
bckd alpha1=4.0 (failed measurement)    seed 0        finished                        nan              -     -    -    -    -"""


def test_the_table_as_people_see_it():
    teacher = {AP: 0.4471, AP50: 0.6212, COLUMNS["AP75"]: 0.485}
    two, four = {"method.alpha1": 1.0, "method.alpha2": 2.0}, {"method.alpha1": 1.0, "method.alpha2": 4.0}
    results = [
        result(role="teacher", method="none", metrics=teacher),
        result(method="none", metrics={AP: 0.39, AP50: 0.6}),
        result(method="none", seed=1, metrics={AP: 0.41}),
        result(method="none", seed=2, metrics={}, status="failed"),
        result(params=two, metrics={AP: 0.43}),
        result(params=two, seed=1, metrics={AP: 0.434}),
        result(params=four, metrics={AP: 0.385}, status="stopped"),
        result(params=four, seed=1, metrics={}, status="unfinished"),
        result(params={"method.alpha1": 2.0}, metrics={}, status="new"),
        result(params={"method.alpha1": 3.0}, metrics={AP: 0.5}, status="unfinished"),
        result(params={"method.alpha1": 4.0}, metrics={AP: NAN}),
    ]
    assert table(results) == GOLDEN


# Trials that do not count ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["stopped", "unfinished", "failed"])
def test_a_trial_that_was_cut_short_is_shown_and_enters_nothing(status):
    """A trial measured at half its length, however well it did, changes no mean, no rank and no gain."""
    whole = [
        result(0.20, method="none"), result(0.22, method="none", seed=1),
        result(0.30), result(0.32, seed=1),
    ]  # fmt: skip
    cut = [
        result(0.9, method="none", seed=2, status=status),
        result(0.9, seed=2, status=status),
        result(0.9, params={"method.alpha1": 9.0}, status=status),
    ]
    wanted = {one.row.first.id: (one.row.score, one.gain, one.rank) for one in summarise(whole)}
    found = {one.row.first.id: (one.row.score, one.gain, one.rank) for one in summarise([*whole, *cut])}
    assert found == wanted | {cut[2].id: (None, None, None)}
    assert best_student([*cut, *whole]) == whole[3]
    lines = table([*whole, *cut]).splitlines()
    assert [line.split()[:6] for line in lines if "not final" in line] == [
        ["none", "(not", "final)", "seed", "2", status],
        ["bckd", "(not", "final)", "seed", "2", status],
        ["bckd", "alpha1=9.0", "(not", "final)", "seed", "0"],
    ]
    assert sum("90.0" in line for line in lines) == 3
    assert sum("2 of 3 seeds" in line for line in lines) == 2


def test_a_student_that_only_stopped_ones_beat_is_the_best_and_none_is_where_all_were_stopped():
    stopped = [result(0.5, seed=n, status="stopped") for n in range(3)]
    finished = result(0.1, seed=3)
    assert best_student([*stopped, finished]) == finished
    assert best_student(stopped) is None


def test_a_segment_of_a_population_is_no_result_before_the_schedules_end():
    flat = {"method.kind": "bckd", "schedule.epochs": "12", "segment.until_epoch": "6"}
    early = result(0.5, params={"epochs": "1-6"}, flat=flat)
    late = result(0.4, params={"epochs": "7-12"}, flat=flat | {"segment.until_epoch": "12"})
    assert best_student([early, late]) == late
    assert "not final" in table([early, late]).splitlines()[1]


def test_a_measurement_that_is_no_number_is_shown_as_failed_and_enters_no_mean():
    results = [result(0.3), result(NAN, seed=1), result(0.5, seed=2)]
    [row] = summarise(results)
    assert row.row.score == Sample(0.4, pytest.approx(math.sqrt(0.02)), 2)
    lines = table(results).splitlines()
    assert "2 of 3 seeds" in lines[1]
    assert "1 failed measurement, 2 finished" in lines[1]
    assert lines[2].split()[:3] == ["bckd", "(failed", "measurement)"]
    assert "nan" in lines[2]


def test_a_trial_without_the_metric_says_so_beside_the_numbers_of_its_best_epoch():
    judged = {"metric": "loss/pkd", "last": {AP: 0.1}}
    alone = result(method="none", metrics={AP: 0.4}, **judged)
    taught = result(metrics={AP: 0.5, "loss/pkd": 2.5}, **judged)
    lines = table([alone, taught]).splitlines()
    assert [line.split()[:6] for line in lines[1:]] == [
        ["none", "(no", "loss/pkd)", "seed", "0", "finished"],
        ["bckd", "1", "seed", "finished", "50.0", "-"],
    ]
    assert " 40.0 " in lines[1]
    assert [row["statuses"] for row in summary_json([alone, taught])["rows"]] == [["finished"], ["finished"]]
    assert best_student([alone, taught]) == taught


def test_a_trial_that_was_never_evaluated_to_its_end_lacks_nothing_yet():
    cut = result(metrics={AP: 0.4}, metric="loss/pkd", status="stopped")
    assert "(not final)" in table([cut]).splitlines()[1]


def test_trials_of_other_lengths_are_not_ranked_together_and_lend_no_baseline():
    short, long = {"schedule.epochs": "6"}, {"schedule.epochs": "12"}
    results = [
        result(0.20, method="none", params=short), result(0.21, method="none", params=short, seed=1),
        result(0.30, params=short), result(0.31, params=short, seed=1),
        result(0.50, params=long), result(0.51, params=long, seed=1),
    ]  # fmt: skip
    found = {one.row.first.id: (one.rank, one.gain) for one in summarise(results)}
    assert found == {
        results[0].id: (2, None),
        results[2].id: (1, pytest.approx(0.1)),
        results[4].id: (None, None),
    }


def test_json_holds_the_rows_and_no_number_that_json_lacks():
    results = [result(0.2, method="none"), result(0.3), result(NAN, seed=1), result(0.9, seed=2, status="stopped")]
    content = json.loads(json.dumps([summary_json(results), *(one.to_json() for one in results)], allow_nan=False))
    summary, *trials = content
    assert [trial["counts"] for trial in trials] == [True, True, False, False]
    assert trials[2]["metrics"][AP] is None
    assert summary["best"] == results[1].id
    taught = summary["rows"][1]
    assert (taught["name"], taught["n"], taught["mean"][AP], taught["counted"]) == ("bckd", 1, 0.3, [results[1].id])
    assert taught["vs_none"] == pytest.approx(0.1)
    assert taught["statuses"] == ["finished", "failed measurement", "stopped"]


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


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_keeps_names_and_the_headline_and_says_what_is_left_out(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = PretendedTerminal()
    voc = {AP: 0.432, "coco/bbox_mAP_50": 0.611, "voc/mAP": 0.522}
    print_results(summarise([result(metrics=voc, params={"method.alpha1": 1.0, "method.alpha2": 2.0})]), stream)
    lines = re.sub(r"\x1b\[\d*m", "", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    assert {"bckd", "alpha1=1.0", "alpha2=2.0", "43.2"} <= set(" ".join(lines).split())
    titles = lines[0].split()
    assert ("APs" in titles, "VOC" in titles, "AP50" in titles) == (width == 120, width >= 80, width >= 80)
    assert ("left out here: " in " ".join(lines)) == (width < 120)


def test_vocs_columns_appear_where_the_dataset_has_them():
    voc = {AP: 0.25, "voc/mAP": 0.522, "voc/AP50": 0.758}
    shown = table([result(metrics=voc), result(0.2, method="none")])
    assert "VOC AP" not in table([result(0.2)])
    header, with_voc, without = shown.splitlines()
    assert header.split()[-6:] == ["VOC", "AP", "VOC", "AP50", "vs", "none"]
    assert with_voc.split()[-3:] == ["52.2", "75.8", "+5.0"]
    assert without.split()[-2:] == ["-", "-"]


def test_costs_stand_last_where_detectors_differ_and_give_way_before_the_scores(monkeypatch):
    small = DetectorCost(parameters=981_500, macs=4_123_000_000, input_size=(96, 96), classes=3)
    large = DetectorCost(parameters=50_740_000, macs=310_000_000_000, input_size=(96, 96), classes=3)
    rows = [result(0.3, role="teacher", method="none", cost=large), result(0.2, cost=small)]
    header, teacher, student = table(rows).splitlines()
    assert header.split()[-3:] == ["params", "MACs", "latency"]
    assert (teacher.split()[-5:], student.split()[-5:]) == (
        ["50.7", "M", "310", "G", "-"],
        ["982", "k", "4.12", "G", "-"],
    )
    assert "params" not in table([rows[1]])  # one form of a detector: nothing to compare

    monkeypatch.setenv("COLUMNS", "80")
    stream = PretendedTerminal()
    print_results(summarise(rows), stream)
    narrow = stream.getvalue().splitlines()[0].split()
    assert {"AP", "AP50", "AP75", "params"} <= set(narrow)
    assert "APs" not in narrow
