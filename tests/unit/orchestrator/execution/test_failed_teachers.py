"""A teacher that fails takes its own students along, and the whole study only where results decide about trials."""

import logging
from pathlib import Path

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.execution.run import require_no_paused_teacher, require_teachers
from orchestrator.plan.plan import Plan
from tests.unit.orchestrator.plan.test_searched_teachers import STUDY
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import Outcome, write_outcome
from trainers.schema.request import Request, write_request


def plan_with(folder: Path, first: Outcome, second: Outcome, study: str = STUDY) -> Plan:
    plan = plan_text(folder, study)
    for teacher, outcome in zip(plan.teachers, (first, second), strict=True):
        teacher.directory.mkdir(parents=True, exist_ok=True)
        write_outcome(teacher.directory, outcome)
    return plan


GOOD, BAD = Outcome("finished"), Outcome("failed", "a damaged image")


def test_the_students_of_the_others_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plan = plan_with(tmp_path, BAD, GOOD)
    with caplog.at_level(logging.WARNING):
        lost = require_teachers(plan, plan.teachers)
    assert lost == {plan.teachers[0].id}
    assert [record.getMessage() for record in caplog.records] == [
        f"the teacher ({plan.teachers[0].id}) failed, so none of its students starts: a damaged image"
    ]
    assert len([trial for trial in plan.students if trial.teacher not in lost]) == 2 + 4


def test_nobody_starts_without_any_teacher(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, BAD, BAD)
    with pytest.raises(OperationError, match="failed, so no student started: a damaged image"):
        require_teachers(plan, plan.teachers)


def test_nobody_starts_where_results_decide(tmp_path: Path) -> None:
    study = STUDY.replace("  cohort: 8\n", "  scheduler: {kind: asha}\n")
    plan = plan_with(tmp_path, GOOD, BAD, study)
    with pytest.raises(OperationError, match="no student started"):
        require_teachers(plan, plan.teachers)


def test_finished_teachers_are_no_obstacle(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, GOOD, GOOD)
    assert require_teachers(plan, plan.teachers) == frozenset()
    assert require_teachers(plan, ()) == frozenset()


def test_a_paused_teacher_is_named(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY)
    second = plan.teachers[1]
    second.directory.mkdir(parents=True)
    write_request(second.directory, Request.PAUSE)
    with pytest.raises(OperationError, match=f"the teacher \\({second.id}\\) is paused, so none of its students"):
        require_no_paused_teacher(plan)
