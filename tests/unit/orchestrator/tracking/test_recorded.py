"""Provenance comes from the runs, each digest once, and from the study and its directories where no run has it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.plan.digests import dataset_digest
from orchestrator.plan.plan import Plan
from orchestrator.tracking.recorded import read_recorded
from orchestrator.tracking.tags import DATA, LOCK_DIGEST, REVISION, STUDENT
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.manifest import MANIFEST, Manifest, ManifestEntry, write_manifest
from trainers.schema.record import BEST


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_text(tmp_path, VALID)


def run(**tags: str) -> Any:
    return SimpleNamespace(data=SimpleNamespace(tags=tags), info=SimpleNamespace(run_id="run"))


def test_digests_of_several_runs_are_sorted_and_each_named_once(plan: Plan) -> None:
    teacher, first, second, third, *_ = plan.trials
    runs = {
        teacher.id: run(**{STUDENT: "ab" * 32, REVISION: "bbbb", LOCK_DIGEST: "2222", DATA: "dddd"}),
        first.id: run(**{REVISION: "aaaa", LOCK_DIGEST: "2222", DATA: "cccc"}),
        second.id: run(**{REVISION: "bbbb", DATA: "dddd"}),
        third.id: run(),
    }
    found = read_recorded(plan, runs)
    assert (found.revisions, found.locks, found.data) == (("aaaa", "bbbb"), ("2222",), ("cccc", "dddd"))
    assert found.teachers == {teacher.id: "ab" * 32}


def test_without_a_run_the_data_is_the_studys_own(plan: Plan) -> None:
    without_tags: dict[str, Any] = {plan.trials[1].id: run()}
    for runs in ({}, without_tags):
        found = read_recorded(plan, runs)
        assert (found.revisions, found.locks, found.data) == ((), (), (dataset_digest(plan.study.dataset),))
        assert found.teachers == {plan.teachers[0].id: None}


def test_a_teacher_without_a_run_has_the_checkpoint_of_its_directory(plan: Plan) -> None:
    [teacher] = plan.teachers
    teacher.directory.mkdir(parents=True)
    write_manifest(teacher.directory, Manifest().with_student(ManifestEntry(BEST, 8, 3, "cd" * 32)))
    assert read_recorded(plan, {}).teachers == {teacher.id: "cd" * 32}
    (teacher.directory / MANIFEST).write_text("{")
    assert read_recorded(plan, {}).teachers == {teacher.id: None}
    assert read_recorded(plan, {teacher.id: run()}).teachers == {teacher.id: None}
