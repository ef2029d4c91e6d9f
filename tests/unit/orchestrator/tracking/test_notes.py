"""A run's description says in a sentence or two what was trained, and how."""

from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from orchestrator.tracking.notes import trial_note
from tests.unit.orchestrator.study_text import VALID, write

GFL = "`mmdet::gfl/gfl_r50_fpn_1x_coco.py`"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    sets = ("search.seeds=[3]", "search.space={}", "search.baseline=true")
    return make_plan(load_study(write(tmp_path, VALID), sets), Store(tmp_path / "store"))


def test_students_say_what_they_learn_by_and_those_alone_what_they_are_for(plan: Plan) -> None:
    notes = [trial_note(trial, "demo") for trial in plan.trials]
    assert notes == [
        f"The teacher of study demo: {GFL}, trained.",
        f"A student of study demo, {GFL}, trained alone, to compare with. Seed 3.",
        f"A student of study demo, {GFL}, distilled by bckd. Seed 3.",
    ]


def test_a_searched_student_says_its_values(plan: Plan) -> None:
    trial = plan.planner.at({"method.alpha2": 4.0}, 5)
    assert trial_note(trial, "demo") == f"A student of study demo, {GFL}, distilled by bckd alpha2=4.0. Seed 5."
