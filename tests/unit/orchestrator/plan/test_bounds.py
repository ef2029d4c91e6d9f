"""Students over a constraint are left out before anything is trained, and the plan tells which and why."""

from pathlib import Path

import pytest

from orchestrator.core.findings import StudyErrors
from orchestrator.execution.prepare import require_runnable
from orchestrator.plan.bounds import excess_of
from orchestrator.study.schema import Constraints, Search
from tests.unit.orchestrator.costs_on_paper import Measured, measuring_on_paper
from tests.unit.orchestrator.planning import ids, plan_text
from trainers.schema.costs import CostAnswer, DetectorCost

STUDY = """
name: bounded
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search:
  space:
    student.width: [0.25, 0.5, 0.75, 1.0]
  seeds: [0, 1]
  constraints: {parameters: 5.0e6}
"""
UNBOUND = STUDY.replace("  constraints: {parameters: 5.0e6}\n", "")


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    return measuring_on_paper(monkeypatch, tmp_path / "cache")


def widths(folder: Path, text: str, *sets: str) -> list[float]:
    return [trial.spec.student.width for trial in plan_text(folder, text, *sets).students]


def test_a_grid_leaves_out_what_is_over_a_bound(measured: Measured, tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY)
    assert [trial.spec.student.width for trial in plan.trials] == [0.25, 0.25, 0.5, 0.5]
    [told] = [finding for finding in plan.findings if "left out" in finding.message]
    assert (told.level, told.where) == ("note", f"{tmp_path}/study.yaml:11: search.constraints")
    assert told.message == (
        "left out over their bounds, 4 of 8 trials: student.width=0.75 (parameters 5,625,000 > 5,000,000); "
        "student.width=1.0 (parameters 10,000,000 > 5,000,000)"
    )
    assert measured.widths == [[0.25, 0.5, 0.75, 1.0]]


@pytest.mark.parametrize("race", ["search.racing=null", "search.racing={}"])
def test_bounds_that_leave_nobody_are_an_error(race: str, measured: Measured, tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY, race, "search.constraints={parameters: 10}")
    assert plan.students == ()
    [told] = [finding for finding in plan.findings if "left out" in finding.message]
    assert told.level == "error"
    assert told.message.endswith("; no student is left to train: raise the bounds, or search smaller students")
    with pytest.raises(StudyErrors, match="no student is left to train"):
        require_runnable(plan)


@pytest.mark.parametrize(("searched", "level"), [("student.width", "note"), ("schedule.lr", "error")])
def test_an_open_search_may_come_to_smaller_students(
    searched: str, level: str, measured: Measured, tmp_path: Path
) -> None:
    text = STUDY.replace("kind: none", "kind: bckd").replace(
        "student: {", 'teacher: {kind: random, detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py"}}\nstudent: {'
    )
    space = f"search.space={{{searched}: [0.25, 1.0]}}"
    plan = plan_text(tmp_path, text, "search.algorithm=optuna", "search.samples=4", space)
    [told] = [finding for finding in plan.findings if "left out" in finding.message]
    assert told.level == level


def test_a_bound_itself_is_kept_to(measured: Measured, tmp_path: Path) -> None:
    assert widths(tmp_path, STUDY, "search.constraints={parameters: 5625000}", "search.seeds=[0]") == [0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("constraints", "kept"),
    [
        ("{macs: 3.0e10}", [0.25, 0.5]),
        ("{latency_ms: 5}", [0.25]),
        ("{parameters: 9.0e6, latency_ms: 20}", [0.25, 0.5]),
    ],
)
def test_every_cost_can_bound(constraints: str, kept: list[float], measured: Measured, tmp_path: Path) -> None:
    assert widths(tmp_path, STUDY, f"search.constraints={constraints}", "search.seeds=[0]") == kept
    assert [unit.latency for unit in measured.requests[0].units] == ["latency" in constraints] * 4


def test_random_draws_are_left_out_as_well(measured: Measured, tmp_path: Path) -> None:
    drawn = ["search.algorithm=random", "search.samples=12", "search.seeds=[0]"]
    drawn += ["search.space={student.width: {uniform: [0.125, 1.0]}}"]
    bounded, free = widths(tmp_path, STUDY, *drawn), widths(tmp_path, UNBOUND, *drawn)
    assert bounded == [width for width in free if width**2 <= 0.5]
    assert 0 < len(bounded) < 12 == len(free)


def test_ids_do_not_move_and_the_studys_name_does_not_follow_from_a_measurement(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, bounded = plan_text(tmp_path, UNBOUND), plan_text(tmp_path, STUDY)
    assert ids(bounded) == ids(free)[:4]
    assert bounded.fingerprint != free.fingerprint
    measuring_on_paper(monkeypatch, tmp_path / "none", lambda unit: CostAnswer(key=unit.key, problem="no such layer"))
    unknown = plan_text(tmp_path, STUDY, store=tmp_path / "other")
    assert unknown.fingerprint == bounded.fingerprint


def test_nothing_is_measured_for_a_study_that_does_not_choose_by_costs(measured: Measured, tmp_path: Path) -> None:
    plan_text(tmp_path, UNBOUND)
    assert measured.requests == []


def test_a_student_that_cannot_be_measured_stops_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring_on_paper(monkeypatch, tmp_path / "cache", lambda unit: CostAnswer(key=unit.key, problem="no such layer"))
    plan = plan_text(tmp_path, STUDY)
    assert len(plan.students) == 8
    [error] = [str(finding) for finding in plan.findings if finding.level == "error"]
    assert error == f"{tmp_path}/study.yaml:11: search.constraints: no such layer"


def test_latency_of_all_students_is_known_before_an_open_search_begins(measured: Measured, tmp_path: Path) -> None:
    plan_text(tmp_path, STUDY, "search.algorithm=optuna", "search.samples=4", "search.objectives=[ap, latency_ms]")
    assert sorted(measured.widths[0]) == [0.25, 0.5, 0.75, 1.0]
    assert all(unit.latency for unit in measured.requests[0].units)


def test_excess_is_a_share_of_the_bound() -> None:
    search = Search(constraints=Constraints(parameters=4.0, macs=10.0))
    cost = DetectorCost(parameters=5, macs=5, input_size=(1, 1), classes=1)
    assert excess_of(cost, search) == (0.25, -0.5)
    assert all(value > 0 for value in excess_of(None, search))
