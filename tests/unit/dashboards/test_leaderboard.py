import statistics
from typing import Any

import pytest

from dashboards.schema import LeaderboardRow, Snapshot
from dashboards.snapshot import Query, snapshot
from tests.unit.dashboards.fake_tracking import AP, START, TEACHER_CONFIG, FakeTracking, taught_by

TEACHER = taught_by("0000000000aa")
POINT = {"method.alpha1": "1.0", "method.alpha2": "4.0"}


def taken(store: FakeTracking, **query: Any) -> Snapshot:
    return snapshot(store, Query(now=START + 7200, **query))


def add(store: FakeTracking, study: str, method: str, ap: float | list[float], **params: str) -> str:
    aps = ap if isinstance(ap, list) else [ap / 2, ap]
    settings = {key.replace("__", "."): value for key, value in params.items()}
    return store.trial(study, method, {AP: aps}, params=settings | (TEACHER if method != "none" else {}))


def rows_by_label(found: Snapshot) -> dict[str, LeaderboardRow]:
    return {row["label"]: row for row in found["rows"]}


def test_seeds_become_one_row_with_mean_sample_deviation_and_count():
    store = FakeTracking()
    study = store.study("s")
    for seed, ap in enumerate((0.40, 0.42, 0.43)):
        add(store, study, "bckd", ap, seed=str(seed))
    [row] = taken(store)["rows"]
    assert row["n"] == 3
    assert row["seeds"] == [0, 1, 2]
    assert row["mean"][0] == pytest.approx(0.41666667)
    assert row["spread"][0] == pytest.approx(0.01527525)  # by hand: squares of -1/60, 1/300 and 4/300, over 2


def test_the_best_of_several_seeds_is_the_highest_ap_and_the_lowest_loss():
    store = FakeTracking()
    study = store.study("s")
    for seed, (ap, loss) in enumerate(((0.40, 3.0), (0.43, 2.0), (0.42, 4.0))):
        store.trial(study, "bckd", {AP: [ap], "loss/total": [loss]}, params=TEACHER | {"seed": str(seed)})
    found = taken(store)
    [row] = found["rows"]
    assert (row["best"][0], row["best"][found["metrics"].index("loss/total")]) == (0.43, 2.0)


def test_best_epoch_and_last_epoch_are_told_apart():
    store = FakeTracking()
    add(store, store.study("s"), "bckd", [0.30, 0.45, 0.41], seed="0")
    found = taken(store)
    assert found["trials"][0]["best_epoch"] == 2
    assert (found["rows"][0]["mean"][0], found["rows"][0]["last_mean"][0]) == (0.45, 0.41)


def test_best_epoch_of_a_run_made_elsewhere_comes_from_its_curve():
    store = FakeTracking()
    store.foreign("theirs", {AP: [0.1, float("nan"), 0.3, 0.3, 0.2], "loss": [5, 4, 3, 2, 1]})
    [trial] = taken(store)["trials"]
    assert trial["best_epoch"] == 3  # of equals the first
    assert dict(zip(taken(store)["metrics"], trial["best"], strict=True)) == {AP: 0.3, "loss": 3.0}


def test_difference_to_none_is_that_of_the_same_student():
    store = FakeTracking()
    study = store.study("s")
    for student, alone, taught in (("gfl_r18_fpn", 0.35, 0.37), ("gfl_r34_fpn", 0.39, 0.38)):
        config = f"stillhouse::{student}.py"
        add(store, study, "none", alone, student__config=config, seed="0")
        add(store, study, "bckd", taught, student__config=config, seed="0")
    gains = {(row["student"], row["method"]): row["to_none"] for row in taken(store)["rows"]}
    assert gains["GFL-R18", "bckd"] == pytest.approx(0.02)
    assert gains["GFL-R34", "bckd"] == pytest.approx(-0.01)
    assert gains["GFL-R18", "none"] is None


def test_difference_to_none_needs_the_same_schedule_where_there_are_several():
    store = FakeTracking()
    study = store.study("s")
    for rate, alone, taught in (("0.01", 0.30, 0.32), ("0.02", 0.35, 0.36)):
        add(store, study, "none", alone, schedule__lr=rate, seed="0")
        add(store, study, "bckd", taught, schedule__lr=rate, seed="0")
    gains = {row["point"]: row["to_none"] for row in taken(store)["rows"] if row["method"] == "bckd"}
    assert gains == {"schedule.lr=0.01": pytest.approx(0.02), "schedule.lr=0.02": pytest.approx(0.01)}


def test_difference_to_the_paper_is_that_of_detector_method_schedule_and_teacher():
    store = FakeTracking()
    study = store.study("s")
    add(store, study, "none", 0.41, seed="0")
    add(store, study, "bckd", 0.430, seed="0")
    longer = store.study("longer")
    add(store, longer, "bckd", 0.44, seed="0", schedule__epochs="24")
    found = taken(store)
    printed = {cell["id"]: cell["values"]["AP"] for cell in found["paper"]}
    to_paper = {(row["method"], row["point"], row["group"]): row for row in found["rows"]}
    [alone, taught, long] = [
        *[r for r in found["rows"] if r["method"] == "none"],
        *[r for r in found["rows"] if r["method"] == "bckd"],
    ]
    assert len(to_paper) == 3
    assert alone["to_paper"] == pytest.approx(0.41 - 0.401)  # GFL R50 alone: 40.1
    by_paper = {row["paper"] is not None: row for row in (taught, long)}
    assert by_paper[True]["to_paper"] == pytest.approx(0.430 - 0.432)  # BCKD from R101: 43.2
    assert printed[str(by_paper[True]["paper"])] == 43.2
    assert by_paper[False]["to_paper"] is None  # nothing is printed for 24 epochs


def test_the_paper_says_nothing_about_other_data():
    store = FakeTracking()
    add(store, store.study("s"), "none", 0.41, seed="0", dataset__classes='["cat", "dog"]')
    assert taken(store)["rows"][0]["paper"] is None


def test_the_teacher_is_not_ranked_and_students_are_alone_or_distilled():
    store = FakeTracking()
    study = store.study("s")
    store.trial(
        study, "none", {AP: [0.45]}, role="teacher", trial="0000000000aa", params={"student.config": TEACHER_CONFIG}
    )
    for seed, shift in (("0", 0.0), ("1", 0.001)):
        add(store, study, "none", 0.40 + shift, seed=seed)
        add(store, study, "bckd", 0.39 + shift, seed=seed, method__alpha1="1")
        add(store, study, "bckd", 0.42 + shift, seed=seed, method__alpha1="2")
    assert [(row["kind"], row["rank"]) for row in taken(store)["rows"]] == [
        ("teacher", None), ("baseline", 2), ("distilled", 1), ("distilled", 3),
    ]  # fmt: skip


def test_one_seed_ranks_nobody_and_the_highest_mean_stands_first():
    store = FakeTracking()
    study = store.study("s")
    for alpha, ap in (("1", 0.39), ("2", 0.42)):
        add(store, study, "bckd", ap, seed="0", method__alpha1=alpha)
    rows = taken(store)["rows"]
    assert [(row["mean"][0], row["rank"], row["interval"]) for row in rows] == [(0.42, None, []), (0.39, None, [])]


def test_two_seeds_that_tie_in_the_table_tie_on_the_page():
    store = FakeTracking()
    study = store.study("s")
    for alpha, aps in (("1", (0.2428, 0.2372)), ("2", (0.2288, 0.2232))):  # 24.0 ± 0.4 and 22.6 ± 0.4
        for seed, ap in enumerate(aps):
            add(store, study, "bckd", ap, seed=str(seed), method__alpha1=alpha)
    rows = taken(store)["rows"]
    assert [row["rank"] for row in rows] == [1, 1]
    assert [round(row["spread"][0], 3) for row in rows] == [0.004, 0.004]


@pytest.mark.parametrize("outcome", ["stopped", "failed", ""])
def test_a_trial_that_was_cut_short_enters_no_mean_rank_best_front_or_grid(outcome):
    store = FakeTracking()
    study = store.study("s")
    curves = {AP: [0.8], "time/train_s": [1.0]}
    whole = {AP: [0.4], "time/train_s": [9.0]}
    for alpha in ("1", "2"):
        params = TEACHER | {"method.alpha1": alpha, "method.alpha2": "4", "seed": "0"}
        store.trial(study, "bckd", whole, params=params)
        cut = store.trial(study, "bckd", curves, params=params | {"seed": "1"}, outcome=outcome)
    alone = TEACHER | {"method.alpha1": "3", "method.alpha2": "4", "seed": "0"}
    store.trial(study, "bckd", curves, params=alone, outcome=outcome)
    found = taken(store)
    rows = rows_by_label(found)
    row, never = rows["bckd alpha1=2"], rows["bckd alpha1=3"]
    assert (row["n"], row["mean"][0], row["spread"][0], row["counted"]) == (1, 0.4, None, row["runs"][:1])
    [other] = row["others"]
    assert (other["run"], other["mark"], other["values"][0]) == (cut, "not final", 0.8)
    assert (never["n"], never["mean"][0], never["rank"], never["counted"]) == (0, None, None, [])
    counted = [trial["run"] for trial in found["trials"] if trial["counts"]]
    assert len(counted) == 2
    assert found["studies"][0]["best"] == counted[0]
    assert set(found["pareto"][0]["front"]) <= set(counted)
    assert found["alpha"][0]["mean"] == [[0.4, 0.4, None]]
    assert found["alpha"][0]["others"] == [[1, 1, 1]]


def test_a_measurement_that_is_no_number_is_marked_as_failed():
    store = FakeTracking()
    study = store.study("s")
    store.trial(study, "bckd", {AP: [0.4]}, params=TEACHER | {"seed": "0"})
    store.trial(study, "bckd", {AP: [float("nan")]}, params=TEACHER | {"seed": "1"})
    [row] = taken(store)["rows"]
    assert (row["n"], row["mean"][0], row["statuses"]) == (1, 0.4, {"finished": 1, "failed measurement": 1})
    assert [(other["mark"], other["values"][0]) for other in row["others"]] == [("failed measurement", "NaN")]


def test_a_trial_without_the_metric_is_marked_by_it_and_shown_at_its_best_epoch():
    store = FakeTracking()
    study = store.study("s")
    store.trial(study, "none", {AP: [0.4, 0.3]}, params={"seed": "0"})
    store.trial(study, "bckd", {AP: [0.2, 0.5], "loss/pkd": [3.0, 2.0]}, params=TEACHER | {"seed": "0"})
    found = taken(store, metric="loss/pkd")
    place = found["metrics"].index(AP)
    others = [other for row in found["rows"] for other in row["others"]]
    assert [(other["mark"], other["values"][place]) for other in others] == [("no loss/pkd", 0.4)]
    assert [(trial["counts"], trial["mark"]) for trial in found["trials"]] == [(False, "no loss/pkd"), (True, "")]


def test_a_segment_that_ends_before_the_schedule_is_no_result():
    store = FakeTracking()
    study = store.study("s")
    for until in ("6", "12"):
        store.trial(study, "bckd", {AP: [0.4]}, params=TEACHER | {"segment.until_epoch": until})
    assert [trial["counts"] for trial in taken(store)["trials"]] == [False, True]


def test_a_study_is_compared_by_itself_where_another_has_further_seeds():
    store = FakeTracking()
    one, other = store.study("one"), store.study("other")
    add(store, one, "bckd", 0.40, seed="0")
    add(store, other, "bckd", 0.44, seed="1")
    found = taken(store)
    assert [(row["n"], row["mean"][0]) for row in found["rows"]] == [(2, 0.42)]
    assert {study: [(row["n"], row["mean"][0]) for row in held["rows"]] for study, held in found["alone"].items()} == {
        one: [(1, 0.40)], other: [(1, 0.44)],
    }  # fmt: skip


def test_a_study_that_shares_no_group_needs_no_ranking_of_its_own():
    store = FakeTracking()
    for name, epochs in (("one", "12"), ("other", "24")):
        add(store, store.study(name), "bckd", 0.4, seed="0", schedule__epochs=epochs)
    assert taken(store)["alone"] == {}


def test_metrics_have_one_name_each_and_vocs_are_not_cocos():
    store = FakeTracking()
    store.trial(store.study("s"), "bckd", {AP: [0.4], "coco/bbox_mAP_50": [0.5], "voc/AP50": [0.6], "loss": [1.0]})
    names = taken(store)["metric_names"]
    assert {key: (name["title"], name["percent"]) for key, name in names.items()} == {
        AP: ("AP", True), "coco/bbox_mAP_50": ("AP50", True), "voc/AP50": ("VOC AP50", True),
    }  # fmt: skip


def test_on_voc_the_papers_figure_is_beside_vocs_own_ap():
    store = FakeTracking()
    params = {
        "dataset.kind": "voc", "dataset.classes": "voc20", "seed": "0", "schedule.epochs": "12",
        "student.config": "mmdet::gfl/gfl_r18_fpn_1x_coco.py",
    }  # fmt: skip
    printed = {
        (cell["detector"], cell["role"]): cell["values"]["AP"]
        for cell in taken(store)["paper"]
        if cell["table"] == "A4"
    }
    curves = {AP: [0.30], "voc/mAP": [0.50]}
    store.trial(store.study("s"), "none", curves, params=params | {"student.config": "stillhouse::gfl_r18_fpn.py"})
    [row] = taken(store)["rows"]
    assert row["to_paper"] == pytest.approx(0.50 - printed["GFL-R18", "student"] / 100)


def test_failed_trial_without_a_value_stays_in_its_row():
    store = FakeTracking()
    study = store.study("s")
    add(store, study, "bckd", 0.4, seed="0")
    store.trial(study, "bckd", {}, params=TEACHER | {"seed": "1"}, outcome="failed")
    [row] = taken(store)["rows"]
    assert (row["n"], len(row["runs"]), row["statuses"]) == (1, 2, {"finished": 1, "failed": 1})


def test_trial_of_two_studies_counts_once():
    store = FakeTracking()
    for name in ("one", "two"):
        study = store.study(name)
        store.trial(study, "bckd", {AP: [0.4]}, params=TEACHER | {"seed": "0"}, trial="0123456789ab")
    [row] = taken(store)["rows"]
    assert (row["n"], len(row["runs"])) == (1, 1)


def test_values_that_are_no_numbers_stay_out_of_means():
    store = FakeTracking()
    study = store.study("s")
    for seed, loss in enumerate((1.0, float("nan"), float("inf"), 3.0)):
        store.trial(study, "bckd", {AP: [0.4], "loss/x": [loss]}, params=TEACHER | {"seed": str(seed)})
    found = taken(store)
    column = found["metrics"].index("loss/x")
    [row] = found["rows"]
    assert (row["mean"][column], row["spread"][column]) == (2.0, pytest.approx(statistics.stdev([1, 3])))
    assert [trial["best"][column] for trial in found["trials"]] == [1.0, "NaN", "Infinity", 3.0]


def test_another_metric_can_select_and_rank():
    store = FakeTracking()
    study = store.study("s")
    curves = {AP: [0.4, 0.3], "voc/mAP": [0.5, 0.6]}
    store.trial(study, "bckd", curves, params=TEACHER, metrics={})
    found = taken(store, metric="voc/mAP")
    assert found["trials"][0]["best_epoch"] == 2
    assert found["rows"][0]["mean"] == [0.3, 0.6]


def test_numbers_of_the_test_split_stand_apart():
    """They are no metric that one could rank by, and belong to the trials that count."""
    store = FakeTracking()
    study = store.study("s")
    for seed, (ap, test) in enumerate(((0.40, 0.30), (0.42, 0.34))):
        store.trial(study, "bckd", {AP: [ap], f"test/{AP}": [test]}, params={"seed": str(seed), **TEACHER})
    store.trial(study, "none", {AP: [0.3]}, params={"seed": "0"})
    found = taken(store)
    assert found["metrics"] == [AP]
    assert not any(f"test/{AP}" in row for row in found["histories"]["runs"].values())
    tests = {row["method"]: row["test"] for row in found["rows"]}
    assert tests == {"bckd": pytest.approx(0.32), "none": None}


def test_pages_judge_by_the_metric_that_all_studies_select_by():
    store = FakeTracking()
    study = store.study("s", metric="loss/total")
    for seed, (ap, loss) in enumerate(((0.4, 1.5), (0.3, 1.2), (0.2, 1.4))):
        store.trial(study, "bckd", {AP: [ap], "loss/total": [loss]}, params={"seed": "0", "method.alpha1": str(seed)})
    found = taken(store)
    assert found["metric"] == "loss/total"
    place = found["metrics"].index("loss/total")
    assert [row["mean"][place] for row in found["rows"]] == [1.2, 1.4, 1.5]  # the least first
    [shown] = found["studies"]
    best = next(trial for trial in found["trials"] if trial["run"] == shown["best"])
    assert best["best"][place] == 1.2
    assert found["pareto"][0]["front"][-1] == best["run"]
    store.study("by AP")
    other = store.study("also by AP", metric=AP)
    add(store, other, "bckd", 0.3, seed="0")
    assert taken(store)["metric"] == AP  # they differ: AP is what all have
    assert taken(store, studies=("s",))["metric"] == "loss/total"
    assert taken(store, metric="coco/bbox_mAP_50")["metric"] == "coco/bbox_mAP_50"
