"""A plan says how the classes of the teacher's checkpoint relate to the dataset's, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.plan.plan import Plan
from tests.unit.orchestrator.planning import ids, plan_text, teacher_of
from tests.unit.orchestrator.study_text import TRAINED, VALID, edit
from trainers.loop.inputs import require_unchanged
from trainers.schema.digest import file_digest

TEACHER = """\
teacher:
  kind: checkpoint
  path: teacher.pth
  coverage: 0.5
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", width: 0.5, weights: random}
"""
WHERE = VALID.splitlines().index("teacher:") + 3


def plan(folder: Path, classes: Any) -> Plan:
    meta = {} if classes is None else {"dataset_meta": {"classes": classes}}
    torch.save({"state_dict": {"a": torch.ones(1)}, "meta": meta}, folder / "teacher.pth")
    return plan_text(folder, edit(TRAINED, TEACHER))


def said(found: Plan, folder: Path) -> list[str]:
    return [str(finding).replace(f"{folder}/", "") for finding in found.findings]


def test_the_same_classes_need_no_word(tmp_path):
    assert plan(tmp_path, ["circle", "square", "triangle"]).findings == ()


def test_another_order_is_told_and_is_another_teacher(tmp_path):
    torch.save({"a": torch.ones(1)}, tmp_path / "teacher.pth")
    found = plan(tmp_path, ["square", "circle", "triangle"])
    [note] = said(found, tmp_path)
    assert note.startswith(
        f"study.yaml:{WHERE}: teacher.path: note: the checkpoint has the dataset's classes in another"
    )
    assert "(square, circle, triangle)" in note
    teacher = teacher_of(found)
    # The same bytes for a dataset of that order are the plain teacher: only the permutation makes it another.
    same = plan_text(
        tmp_path, edit(TRAINED, TEACHER).replace("kind: shapes", "kind: shapes\n  classes: [square, circle, triangle]")
    )
    assert same.findings == ()
    assert teacher.id not in ids(same)


def test_only_a_permuted_teacher_has_another_identity(tmp_path, monkeypatch):
    asked = plan(tmp_path, ["square", "circle", "triangle"])
    monkeypatch.setattr("orchestrator.plan.teachers.in_other_order", lambda teacher, dataset: False)
    before = plan_text(tmp_path, edit(TRAINED, TEACHER))
    changed = [new.role for new, old in zip(asked.trials, before.trials, strict=True) if new.id != old.id]
    assert changed == ["teacher", *["student"] * 4]
    kept = [new for new, old in zip(asked.trials, before.trials, strict=True) if new.id == old.id]
    assert {trial.spec.method.kind for trial in kept} == {"none"}


@pytest.mark.parametrize("classes", [["circle", "square", "triangle"], ["square", "circle", "triangle"], None])
def test_a_worker_that_reads_the_planned_checkpoint_accepts_it(classes, tmp_path):
    found = plan(tmp_path, classes)
    distilled = [trial for trial in found.trials if trial.role == "teacher" or trial.spec.teacher]
    assert len(distilled) > 1
    for trial in distilled:
        assert found.job(trial).inputs == {str(tmp_path / "teacher.pth"): file_digest(tmp_path / "teacher.pth")}
        require_unchanged(found.job(trial))


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (["circle", "square", "hexagon"], "(circle, square, hexagon), the dataset has (circle, square, triangle)"),
        (["circle"], "it does not know square, triangle"),
        (["Circle", "square", "triangle"], "differ in spelling only (circle for Circle)"),
    ],
)
def test_other_classes_are_an_error(classes, says, tmp_path):
    [error] = said(plan(tmp_path, classes), tmp_path)
    assert error.startswith(f"study.yaml:{WHERE}: teacher.path: the checkpoint was trained on the classes")
    assert says in error


def test_a_checkpoint_without_names_is_taken_as_it_is_and_that_is_said(tmp_path):
    [note] = said(plan(tmp_path, None), tmp_path)
    assert note.endswith("note: the checkpoint names no classes: they are taken to be the dataset's, in its order")


def test_a_checkpoint_without_content_is_not_said_to_name_no_classes(tmp_path):
    torch.save([1], tmp_path / "teacher.pth")
    found = plan_text(tmp_path, edit(TRAINED, TEACHER))
    assert not [line for line in said(found, tmp_path) if "names no classes" in line]
