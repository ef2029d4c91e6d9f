"""A plan counts what will be done: trials and steps that an open search has not come to yet, at most."""

import json
from pathlib import Path

import pytest

from orchestrator.plan.forecast import forecast, total_line, totals_json
from orchestrator.plan.plan import Plan
from orchestrator.plan.totals import further, students_after_teacher, to_train, totals
from orchestrator.reports.plan_table import describe_search, describe_size
from orchestrator.reproduce.cost import cost_of, study_hours
from orchestrator.search.suggestions import Suggestions
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome

STUDY = """
name: open
dataset: {kind: shapes, train_images: 160}
teacher:
  kind: train
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
  schedule: {epochs: 10, batch_size: 16, policy: {kind: constant}}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: bckd}
schedule: {epochs: 10, batch_size: 16, policy: {kind: constant}}
search:
  algorithm: SEARCH
  samples: 20
  seeds: [0, 1]
  space: {method.alpha1: {uniform: [0.5, 2.0]}}
scaling: {seconds_per_step: 36, cost_per_gpu_hour: 2}
"""
STEPS = 100  # of one training: 160 images in batches of 16, ten times; an hour at 36 s


def planned(folder: Path, algorithm: str, *sets: str) -> Plan:
    return plan_text(folder, STUDY.replace("SEARCH", algorithm), *sets)


def end(plan: Plan, *, status: str = "finished", epochs: int = 10) -> None:
    """Let all trials that are known by now end."""
    for trial in plan.trials:
        trial.directory.mkdir(parents=True, exist_ok=True)
        records = [Record(n, 10 * n, {SELECTION_METRIC: 0.3}, {"time/train_s": 360.0}) for n in range(1, epochs + 1)]
        (trial.directory / HISTORY).write_text(to_lines(records))
        write_outcome(trial.directory, Outcome(status))  # type: ignore[arg-type]


def test_an_open_search_has_as_many_trials_ahead_as_a_random_one(tmp_path: Path) -> None:
    found = {}
    for algorithm in ("random", "optuna"):
        folder = tmp_path / algorithm
        folder.mkdir()
        plan = planned(folder, algorithm)
        found[algorithm] = (totals(plan).trials, totals(plan).steps, study_hours(plan))
    assert found["optuna"] == found["random"]
    assert found["optuna"][:2] == (43, 43 * STEPS)  # a teacher, two baselines, twenty points with two seeds


def test_a_plan_says_how_much_is_left_at_most(tmp_path: Path) -> None:
    plan = planned(tmp_path, "optuna")
    assert describe_size(plan) == "3 trials by now, at most 43"
    assert describe_search(plan) == ["optuna: up to 40 trials, 0 known by now; the others follow from their results"]
    line = total_line(plan, forecast(plan, {}), {})
    assert line.startswith("left: at most 43 trials, at most about 43 worker hours")
    assert "cost 86.00" in line
    content = totals_json(plan, forecast(plan, {}), {})
    assert (content["trials"], content["trials_left"], content["at_most"]) == (43, 43, True)
    assert (content["steps_left"], content["hours_left"]["cost"]) == (43 * STEPS, pytest.approx(86.0))


def test_without_a_rate_the_trials_are_said_all_the_same(tmp_path: Path) -> None:
    plan = planned(tmp_path, "optuna", "scaling.seconds_per_step=null")
    assert total_line(plan, {}, {}).startswith("left: at most 43 trials; time: unknown")


def test_trials_that_ended_leave_the_points_that_were_not_asked_for(tmp_path: Path) -> None:
    plan = planned(tmp_path, "optuna")
    Suggestions(plan).ask(3)  # two points, four trials
    end(plan)
    again = planned(tmp_path, "optuna")
    whole = totals(again)
    assert (len(again.trials), whole.trials, whole.trials_left, whole.steps_left) == (7, 43, 36, 36 * STEPS)
    assert "nothing left" not in total_line(again, forecast(again, {}), {})


def test_nothing_is_left_when_all_samples_were_tried(tmp_path: Path) -> None:
    plan = planned(tmp_path, "optuna", "search.samples=2")
    Suggestions(plan).ask(10)
    end(plan)
    again = planned(tmp_path, "optuna", "search.samples=2")
    assert (totals(again).trials, totals(again).trials_left) == (7, 0)
    assert total_line(again, {}, {}) == "nothing left to run"


def test_a_population_is_counted_in_segments(tmp_path: Path) -> None:
    sets = ("search.samples=4", "search.seeds=[0]", "search.population={every_epochs: 4}", "search.baseline=false")
    plan = planned(tmp_path, "pbt", *sets)
    assert [(one.count, one.steps) for one in further(plan)] == [(4, 4 * 40), (4, 4 * 40), (4, 4 * 20)]
    assert (totals(plan).trials, totals(plan).steps) == (13, STEPS + 4 * STEPS)  # four whole trainings and the teacher
    Suggestions(plan).ask(3)
    assert [one.count for one in further(plan)] == [1, 4, 4]


def test_a_segment_that_failed_is_not_left_because_a_population_goes_on_without_it(tmp_path: Path) -> None:
    sets = ("search.samples=4", "search.seeds=[0]", "search.population={every_epochs: 4}", "search.baseline=false")
    Suggestions(planned(tmp_path, "pbt", *sets)).ask(3)
    before = planned(tmp_path, "pbt", *sets)
    lost = before.suggested[0]
    lost.directory.mkdir(parents=True)
    write_outcome(lost.directory, Outcome("failed"))
    assert totals(planned(tmp_path, "pbt", *sets)).trials_left == totals(before).trials_left - 1


def test_a_scheduler_that_stops_early_is_bounded_from_below(tmp_path: Path) -> None:
    """By hand: 40 students of 10 epochs with 10 steps each, a teacher, and two baselines."""
    bounds = {
        "asha": STEPS + 42 * 10 + 90,  # all for one epoch, one of them to its end
        "pasha": 3 * STEPS + 40 * 10 + 12 * 20 + 90,  # a third of 40 goes on to epoch 3, one to its end
    }
    for kind, steps in bounds.items():
        (tmp_path / kind).mkdir()
        plan = planned(tmp_path / kind, "random", f"search.scheduler={{kind: {kind}}}")
        assert (totals(plan).least_trials, totals(plan).least_steps) == (43, steps)
        assert describe_search(plan) == [f"{kind}: 43 trials, {steps:,} to 4,300 steps in all"]


def test_a_race_is_bounded_from_below(tmp_path: Path) -> None:
    """By hand: two seeds of 20 points and of the baseline, or one where PASHA judges and then one more of half of the points."""
    sets = ("search.seeds=[0, 1, 2]", "search.racing={}")
    plan = planned(tmp_path, "random", *sets)
    assert describe_search(plan) == ["racing: 43 to 64 trials, 4,300 to 6,400 steps in all"]
    plan = planned(tmp_path, "random", *sets, "search.scheduler={kind: pasha}")
    steps = (
        (1 + 2 + 10) * STEPS + 20 * 10 + 10 * 90
    )  # the teacher, the baseline's seeds, second seeds; half of the points race
    assert describe_search(plan) == [f"racing and pasha: 33 to 64 trials, {steps:,} to 6,400 steps in all"]
    assert totals_json(plan, {}, {})["least_trials"] == 33


@pytest.mark.parametrize(("most", "students"), [(2, 2), (3, 4), (10, 10), (41, 42), (100, 42)])
def test_max_trials_bounds_the_points(most: int, students: int, tmp_path: Path) -> None:
    """A point is asked for while there is room, and brings all of its seeds."""
    plan = planned(tmp_path, "optuna", f"search.max_trials={most}")
    assert totals(plan).trials == 1 + students
    suggestions = Suggestions(plan)
    while given := suggestions.ask(100):
        end(plan)
        for trial in given:
            suggestions.on_trial_complete(trial.id)
    assert len(plan.students) + len(plan.suggested) == students


def test_gpu_hours_are_bounded_by_their_budget(tmp_path: Path) -> None:
    plan = planned(tmp_path, "optuna", "search.max_gpu_hours=5")
    content = totals_json(plan, forecast(plan, {}), {})
    assert content["hours_left"]["hours"] == pytest.approx(6.0)  # the teacher's comes on top
    teacher = cost_of(plan.trials[0], gpus=1).gpu_hours
    assert study_hours(planned(tmp_path, "optuna", "search.max_gpu_hours=0.01")) == pytest.approx(0.01 + teacher)


def test_a_spent_budget_leaves_nothing(tmp_path: Path) -> None:
    end(planned(tmp_path, "optuna"))
    plan = planned(tmp_path, "optuna", "search.max_gpu_hours=1")
    assert total_line(plan, {}, {}).startswith("nothing left to run: search.max_gpu_hours: 2 of 1 are spent")
    assert totals(plan).trials_left == 0


def test_the_longest_listed_schedule_counts(tmp_path: Path) -> None:
    space = "search.space={schedule.epochs: [5, 10, 20], method.alpha1: [0.5, 1.0]}"
    plan = planned(tmp_path, "optuna", space, "search.baseline=false")
    assert totals(plan).steps == STEPS + 40 * 2 * STEPS


@pytest.mark.parametrize(
    ("change", "bound"),
    [("search.seeds=[0]", False), ("search.scheduler={kind: asha}", True), ("search.max_gpu_hours=5", True)],
)
def test_what_may_end_early_is_an_upper_bound(change: str, bound: bool, tmp_path: Path) -> None:
    plan = planned(tmp_path, "random", change)
    assert totals(plan).at_most is bound
    assert ("at most" in total_line(plan, forecast(plan, {}), {})) is bound


def test_half_a_training_is_half_left(tmp_path: Path) -> None:
    plan = planned(tmp_path, "random", "search.samples=1", "search.seeds=[0]", "search.baseline=false")
    student = plan.students[0]
    student.directory.mkdir(parents=True)
    times = {"time/train_s": 360.0}
    (student.directory / HISTORY).write_text(to_lines([Record(n, 10 * n, {}, times) for n in range(1, 6)]))
    again = planned(tmp_path, "random", "search.samples=1", "search.seeds=[0]", "search.baseline=false")
    assert totals(again).steps_left == STEPS + STEPS // 2
    assert "about 1.5 worker hours" in total_line(again, forecast(again, {}), {})


def test_plan_prints_totals_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planned(tmp_path, "optuna")
    answer = runner(capsys)("plan", tmp_path / "study.yaml", "--store", tmp_path / "store", "--json")
    content = json.loads(answer.out)["totals"]
    assert (content["trials"], content["trials_left"], content["at_most"]) == (43, 43, True)
    assert totals(plan).trials == content["trials"]


def test_a_student_alone_that_is_the_teacher_is_not_started_again(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY[: STUDY.index("search:")], store=tmp_path / "store")
    pending, teacher = to_train(plan.trials), plan.trials[0]
    alone, taught = plan.students
    assert alone.id == teacher.id
    teacher.directory.mkdir(parents=True)
    write_outcome(teacher.directory, Outcome("finished"))
    assert students_after_teacher(pending) == [taught]
