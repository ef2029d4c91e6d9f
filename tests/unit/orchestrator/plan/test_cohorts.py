"""Prove which trials a plan puts side by side, and what it says about the others."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.cohorts import cohorts
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.plan_table import describe_cohorts, plan_json
from orchestrator.study.load import load_study
from trainers.schema.record import Outcome, write_outcome

STUDY = """
name: together
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
"""


def plan_of(folder: Path, *sets: str, concurrent: int = 1) -> Plan:
    (folder / "study.yaml").write_text(STUDY)
    plan = make_plan(load_study(folder / "study.yaml", sets), Store(folder / "store"))
    return replace(plan, resources=replace(plan.resources, concurrent=concurrent))


def sizes(plan: Plan) -> list[int]:
    return [len(group) for group in cohorts(plan, plan.students).groups]


RATES = "search.space={schedule.lr: [0.01, 0.02, 0.03, 0.04, 0.05]}"


@pytest.mark.parametrize(
    ("cohort", "concurrent", "expected"),
    [
        ("1", 1, [1] * 5),
        ("2", 1, [2, 2, 1]),
        ("8", 1, [5]),
        ("auto", 1, [5]),
        ("auto", 2, [3, 2]),
        ("auto", 9, [1] * 5),
    ],
)
def test_sizes(cohort: str, concurrent: int, expected: list[int], tmp_path: Path) -> None:
    assert sizes(plan_of(tmp_path, RATES, f"search.cohort={cohort}", concurrent=concurrent)) == expected


def test_auto_is_not_without_limit(tmp_path: Path) -> None:
    many = [0.001 * (1 + number) for number in range(20)]
    assert sizes(plan_of(tmp_path, f"search.space={{schedule.lr: {many}}}", "search.cohort=auto")) == [8, 8, 4]


def test_who_cannot_share_is_apart_and_the_plan_says_why(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, RATES, "search.seeds=[0, 1]", "search.cohort=4")
    assert sizes(plan) == [4, 1, 4, 1]
    assert {len({trial.spec.seed for trial in group}) for group in cohorts(plan, plan.students).groups} == {1}
    (sentence,) = describe_cohorts(plan)
    assert "cohorts: 4, of 4, 1, 4, 1 students" in sentence
    assert "other seeds draw other batches" in sentence


def test_the_members_of_a_cohort_are_started_together(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, RATES, "search.seeds=[0, 1]", "search.cohort=5")
    assert [trial.spec.seed for trial in plan.students] == [0, 1] * 5
    assert [trial.spec.seed for trial in cohorts(plan, plan.students).trials] == [0] * 5 + [1] * 5


def test_lengths_may_differ_unless_augmentation_ends_at_another_epoch(tmp_path: Path) -> None:
    lengths = "search.space={schedule.epochs: [4, 6]}"
    assert sizes(plan_of(tmp_path, lengths, "search.cohort=2")) == [2]
    (apart := tmp_path / "apart").mkdir()
    plan = plan_of(apart, lengths, "schedule.closing_epochs=2", "search.cohort=2")
    assert sizes(plan) == [1, 1]
    [line] = describe_cohorts(plan)
    assert line.startswith("cohorts: none, students are trained one by one; apart, because ")
    assert "augmentation changes at different epochs" in line


def test_trials_alone_need_no_words(tmp_path: Path) -> None:
    assert describe_cohorts(plan_of(tmp_path, RATES)) == []


def test_a_plan_counts_the_cohorts_that_are_still_to_train(tmp_path: Path) -> None:
    before = plan_of(tmp_path, RATES, "search.cohort=2")
    end(before.students[:2])
    plan = plan_of(tmp_path, RATES, "search.cohort=2")
    left = [trial.id for trial in plan.students[2:]]
    assert describe_cohorts(plan) == ["cohorts: 2, of 2, 1 students side by side"]
    assert plan_json(plan)["cohorts"] == [left[:2], left[2:]]
    end(plan.students)
    plan = plan_of(tmp_path, RATES, "search.cohort=2")
    assert (describe_cohorts(plan), plan_json(plan)["cohorts"]) == ([], [])


def end(trials: Iterable[PlannedTrial]) -> None:
    for trial in trials:
        trial.directory.mkdir(parents=True, exist_ok=True)
        write_outcome(trial.directory, Outcome("finished"))


OPEN = "search={algorithm: %s, samples: %d, cohort: %s, seeds: %s, space: {schedule.lr: {loguniform: [0.001, 0.1]}}}"


@pytest.mark.parametrize(
    ("search", "concurrent", "expected"),
    [
        (("optuna", 20, "3", "[0]"), 1, "up to 3 students side by side, as they are proposed"),
        (("optuna", 20, "auto", "[0]"), 1, "up to 5 students"),  # as many as are drawn before results count
        (("optuna", 20, "auto", "[0]"), 2, "up to 2 students"),
        (("optuna", 4, "auto", "[0]"), 1, "none, students are trained one by one"),
        (
            ("optuna", 2, "4", "[0, 1]"),
            1,
            "up to 2 students side by side, as they are proposed; apart, because other seeds",
        ),
        (("pbt", 6, "auto", "[0]"), 1, "up to 6 students"),
        (("pbt", 6, "auto", "[0]"), 2, "up to 3 students"),
        (("pbt", 20, "auto", "[0]"), 1, "up to 8 students"),
    ],
)
def test_the_plan_of_an_open_search_says_how_many_are_side_by_side(
    search: tuple[str, int, str, str], concurrent: int, expected: str, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, OPEN % search, concurrent=concurrent)
    (sentence,) = describe_cohorts(plan)
    assert sentence.startswith(f"cohorts: {expected}")


def test_of_a_population_only_those_that_end_together_train_side_by_side(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, OPEN % ("pbt", 4, "4", "[0]"))
    whole = plan.planner.at({}, 0)
    first = [plan.planner.at({"schedule.lr": rate}, 0, (0, 2)) for rate in (0.01, 0.02)]
    later = plan.planner.at({"schedule.lr": 0.01}, 0, (2, 4), first[0].id)
    groups = cohorts(plan, [whole, *first, later]).groups
    assert [[trial.id for trial in group] for group in groups] == [
        [whole.id],
        [trial.id for trial in first],
        [later.id],
    ]


def test_other_batch_sizes_of_an_open_search_are_told_apart(tmp_path: Path) -> None:
    space = "search.space={schedule.batch_size: [2, 4]}"
    plan = plan_of(tmp_path, OPEN % ("optuna", 8, "2", "[0]"), space)
    assert describe_cohorts(plan)[0].endswith("; apart, because batch sizes differ")
