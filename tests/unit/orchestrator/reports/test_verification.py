"""An export is what its papers say, or the difference is named."""

import copy
import functools
import json
import operator
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.cli import main
from orchestrator.core.errors import OperationError, UserError
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.papers import LARGEST, PAPERS, read_papers, write_papers
from orchestrator.reports.verification import Check, Measure, check_folder, check_retrained, check_study
from tests.unit.orchestrator.coco_data import section, write_coco
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.reports.example import plan_of
from tests.unit.orchestrator.study_text import VALID, edit
from trainers.schema.digest import file_digest
from trainers.schema.record import SELECTION_METRIC


def student(trial: str, **tensors: float) -> dict[str, Any]:
    state = {name: torch.tensor(value) for name, value in {"weight": 1.0, "bias": 0.0, **tensors}.items()}
    return {"state_dict": state, "meta": {"trial": trial, "epoch": 1}}


def exported(plan: Plan, trial: PlannedTrial, folder: Path) -> Path:
    """Write an export of a trial whose student has two tensors."""
    folder.mkdir()
    (folder / "config.py").write_text("model = dict()\n")
    torch.save(student(trial.id), folder / "student.pth")
    write_papers(plan, trial, {SELECTION_METRIC: 0.4}, folder)
    return folder


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_of(tmp_path)


@pytest.fixture
def trial(plan: Plan) -> PlannedTrial:
    return next(trial for trial in plan.students if trial.spec.teacher)


@pytest.fixture
def folder(plan: Plan, trial: PlannedTrial, tmp_path: Path) -> Path:
    return exported(plan, trial, tmp_path / "out")


def failed(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.answer for check in checks if not check.passed}


@pytest.mark.parametrize("role", ["teacher", "student", "alone"])
def test_an_untouched_export_passes(role: str, plan: Plan, tmp_path: Path) -> None:
    alone = next(trial for trial in plan.students if not trial.spec.teacher)
    distilled = next(trial for trial in plan.students if trial.spec.teacher)
    found = {"teacher": plan.teachers[0], "student": distilled, "alone": alone}[role]
    assert found is not None
    folder = exported(plan, found, tmp_path / "out")
    assert [check.name for check in check_folder(folder)] == ["files", "identity", "student"]
    assert failed(check_folder(folder)) == {}
    check, same = check_study(folder, plan)
    assert check.passed
    assert same is found


@pytest.mark.parametrize(
    "search",
    [
        "search.racing={least_seeds: 2}",
        "search={algorithm: optuna, samples: 4, space: {method.alpha2: {uniform: [1, 5]}}}",
        "search={algorithm: optuna, samples: 4, space: {method.alpha1: [2, 1.0], method.alpha2: {uniform: [1, 5]}}}",
    ],
)
def test_a_trial_that_a_search_comes_to_later_is_found_by_its_point(search: str, tmp_path: Path) -> None:
    sets = (search, "search.seeds=[0, 1, 2]")
    plan = plan_of(tmp_path, *sets)
    values = {"method.alpha1": 1.0, "method.alpha2": 4.0}
    later = plan.planner.at({key: value for key, value in values.items() if key in plan.study.search.space}, 2)
    assert later.id not in {trial.id for trial in plan.trials}
    folder = exported(plan, later, tmp_path / "out")
    assert failed(check_folder(folder)) == {}
    assert check_study(folder, plan)[0].passed
    check, _ = check_study(folder, plan_of(tmp_path, *sets, "search.seeds=[0, 1]"))
    assert not check.passed
    assert "seed: exported 2" in check.answer


@pytest.mark.parametrize(
    "search",
    [
        "search={space: {method.alpha1: [1, 2], method.alpha2: [4]}}",
        "search={algorithm: random, samples: 2, space: {method.alpha2: {uniform: [1, 5]}}}",
        "search={algorithm: optuna, samples: 2, space: {method.alpha1: [2, 3], method.alpha2: {uniform: [1, 5]}}}",
    ],
)
def test_a_study_that_cannot_come_to_a_trial_has_it_not(search: str, tmp_path: Path) -> None:
    """Its own values of searched keys, and what a random search does not draw, make no trial of a study."""
    lone = plan_of(tmp_path, "search={space: {method.alpha2: [3.25]}, seeds: [0]}")
    folder = exported(lone, next(one for one in lone.students if one.spec.teacher), tmp_path / "out")
    (tmp_path / "other").mkdir()
    check, found = check_study(folder, plan_of(tmp_path / "other", search, "method.alpha2=3.25", "method.alpha1=1"))
    assert (check.passed, found) == (False, None)


def test_papers_name_no_folder(tmp_path: Path) -> None:
    shapes = VALID[VALID.index("dataset:") : VALID.index("teacher:")]
    plan = plan_text(tmp_path, edit(shapes, section(write_coco(tmp_path / "photos"))))
    folder = exported(plan, plan.students[0], tmp_path / "out")
    assert str(tmp_path) not in (folder / PAPERS).read_text()
    assert failed(check_folder(folder)) == {}


def test_changed_and_missing_files_are_named(folder: Path) -> None:
    (folder / "config.py").write_text("model = dict( )\n")
    (folder / "student.pth").unlink()
    found = failed(check_folder(folder))
    assert found.keys() == {"files", "student"}
    assert "config.py has changed" in found["files"]
    assert "student.pth: No such file" in found["files"]


def edited(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / PAPERS).read_text())
    change(content)
    (folder / PAPERS).write_text(json.dumps(content))


@pytest.mark.parametrize("key", ["seed", "dataset", "student", "method", "schedule", "teacher"])
def test_each_part_of_the_identity_counts(key: str, folder: Path) -> None:
    edited(folder, lambda papers: papers["student"]["identity"].update({key: "another"}))
    assert "make" in failed(check_folder(folder))["identity"]


def test_the_teacher_s_parts_count_too(folder: Path) -> None:
    edited(folder, lambda papers: papers["teacher"]["identity"].update(seed=77))
    assert "the parts of its teacher make" in failed(check_folder(folder))["identity"]


def test_papers_without_the_teacher_are_not_taken(folder: Path, plan: Plan) -> None:
    edited(folder, lambda papers: papers.update(teacher=None))
    said = f"the trial was distilled from trial {plan.teachers[0].id}, whose papers are missing"
    assert failed(check_folder(folder))["identity"] == said


def test_another_teacher_s_papers_are_not_taken(folder: Path, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = plan_of(tmp_path / "other", "teacher.seed=5")
    beside = exported(other, other.teachers[0], tmp_path / "beside")
    swapped = json.loads((beside / PAPERS).read_text())["student"]
    edited(folder, lambda papers: papers.update(teacher=swapped))
    assert "another teacher" in failed(check_folder(folder))["identity"]


def test_a_student_of_another_trial_under_the_right_digest_is_found(folder: Path) -> None:
    torch.save(student("0123456789ab"), folder / "student.pth")
    edited(folder, lambda papers: papers["files"].update({"student.pth": file_digest(folder / "student.pth")}))
    assert failed(check_folder(folder)) == {
        "student": f"student.pth was written by trial 0123456789ab, not {read_papers(folder).student.trial}"
    }


def test_another_seed_and_other_data_are_told_by_what_differs(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    check, found = check_study(folder, plan_of(tmp_path / "other", "search.seeds=[8]"))
    assert found is None
    assert "seed: exported 0, here 8" in check.answer
    (tmp_path / "data").mkdir()
    check, _ = check_study(folder, plan_of(tmp_path / "data", "dataset.train_images=9"))
    assert "dataset.train_images: exported" in check.answer
    assert "seed:" not in check.answer


def test_the_trial_that_differs_in_the_fewest_settings_is_named(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "search.space={}", "method={kind: bckd, alpha1: 1.0, alpha2: 3.0}", "search.seeds=[0]")
    folder = exported(plan, next(one for one in plan.students if one.spec.teacher), tmp_path / "out")
    (tmp_path / "other").mkdir()
    space = "search.space={method.alpha1: [5.0, 1.0], method.alpha2: [2.0]}"
    others = plan_of(tmp_path / "other", space, "search.seeds=[0]")
    check, _ = check_study(folder, others)
    near = next(one for one in others.trials if one.params == {"method.alpha1": 1.0, "method.alpha2": 2.0})
    assert check.answer.endswith(
        f"the nearest is {near.id} (bckd alpha1=1.0 alpha2=2.0, seed 0), and differs in "
        "method.terms[1].weight: exported 3, here 2"
    )


def test_a_section_that_is_missing_counts_by_its_settings(folder: Path, tmp_path: Path) -> None:
    """A teacher has neither a teacher nor terms: it is no neighbour of a student with another schedule."""
    (tmp_path / "other").mkdir()
    schedule = "schedule={lr: 0.3, clip_grad: 1, lr_batch: 8, val_interval: 2, batch_size: 4, epochs: 20}"
    others = plan_of(tmp_path / "other", schedule)
    near = next(one for one in others.students if one.spec.teacher)
    assert f"the nearest is {near.id} ({near.name}, seed 0)" in check_study(folder, others)[0].answer


def test_a_student_that_was_trained_again_is_compared_to_the_bit(folder: Path, tmp_path: Path) -> None:
    name = read_papers(folder).student.trial
    torch.save(student(name), tmp_path / "same.pth")
    torch.save(student(name, bias=1e-30), tmp_path / "other.pth")
    torch.save(student(name, extra=0.0), tmp_path / "more.pth")
    assert check_retrained(folder, tmp_path / "same.pth", nobody, None) == Check(
        "retrained", True, "2 tensors equal to the bit"
    )
    for path, first in (("other.pth", "bias"), ("more.pth", "extra")):
        check = check_retrained(folder, tmp_path / path, aps(0.42, 0.38), None)
        assert not check.passed
        assert f"first {first}; AP differs by 4.0" in check.answer
    other = tmp_path / "other.pth"
    assert check_retrained(folder, other, aps(0.42, 0.38), 4.5).passed
    assert not check_retrained(folder, other, aps(0.42, 0.38), 3.5).passed
    assert not check_retrained(folder, other, aps(0.42, None), 3.5).passed


def test_the_ap_in_the_papers_counts_for_nothing(folder: Path, tmp_path: Path) -> None:
    torch.save(student(read_papers(folder).student.trial, bias=1.0), tmp_path / "other.pth")
    edited(folder, lambda papers: papers["metrics"].update({SELECTION_METRIC: 0.38}))
    check = check_retrained(folder, tmp_path / "other.pth", aps(0.1, 0.38), 1.0)
    assert not check.passed
    assert "AP differs by 28.0, 1 allowed" in check.answer


def test_a_file_that_cannot_be_measured_is_told(folder: Path, trial: PlannedTrial, tmp_path: Path) -> None:
    def refuse(path: Path) -> float:
        raise OperationError(f"{path.name} does not fit the student")

    torch.save(student(trial.id, bias=1.0), tmp_path / "other.pth")
    check = check_retrained(folder, tmp_path / "other.pth", refuse, 1.0)
    assert not check.passed
    assert check.answer.endswith("; AP cannot be measured: student.pth does not fit the student")


def aps(exported: float | None, again: float | None) -> Measure:
    """Return a measurement by which the exported student has one AP and the other one another."""
    return lambda path: exported if path.name == "student.pth" else again


def nobody(path: Path) -> float:
    """Refuse to measure a student that is equal to the bit."""
    raise AssertionError(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        ("{", "cannot be read"),
        ("[]", "it is no mapping"),
        ("{}", "it lacks format"),
        ('{"format": 2}', "has format 2"),
        ('{"format": 1}', "it lacks student"),
        ('{"format": 1, "format": 1}', "has the key 'format' twice in a mapping"),
        (b"\xff\xfe", "cannot be read"),
        ("[" * 5000, "cannot be read"),
        ('{"format": ' + "9" * 5000 + "}", "has a number of more than 300 digits"),
        (" " * (LARGEST + 1), "has 16777217 bytes, more than 16777216"),
    ],
)
def test_papers_that_are_none_are_one_sentence(content: str | bytes | None, says: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / PAPERS).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=says):
        check_folder(tmp_path)


def test_a_file_in_place_of_the_folder_has_no_papers(tmp_path: Path) -> None:
    (tmp_path / "student.pth").touch()
    with pytest.raises(UserError, match=r"does not exist: name a folder that stillhouse export has written$"):
        check_folder(tmp_path / "student.pth")


def test_a_folder_or_a_pipe_is_no_paper(tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / PAPERS)
    with pytest.raises(UserError, match="is a pipe, not a file"):
        check_folder(tmp_path / "pipe")


ODD = (
    None,
    True,
    -1,
    1e400,
    10**200,
    "",
    "\x1b[2J",
    "a\nfiles      ok  all",
    "x" * 5000,
    [],
    [{}],
    {},
    {"": None},
    {"\x1b": "\r"},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of everything within papers."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


def test_papers_that_are_wrong_anywhere_are_one_sentence_or_checks_in_lines(
    folder: Path, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, chance = json.loads((folder / PAPERS).read_text()), random.Random(0)
    for path in places(sound):
        for odd in chance.sample((*ODD, KeyError), 3):  # a KeyError is left out
            content = copy.deepcopy(sound)
            holder = functools.reduce(operator.getitem, path[:-1], content)
            if odd is KeyError:
                del holder[path[-1]]
            else:
                holder[path[-1]] = odd
            (folder / PAPERS).write_text(json.dumps(content))
            require_plain(folder, plan, capsys)


def require_plain(folder: Path, plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    """Verify an export with odd papers: a refusal or the answers, each on a line of its own."""
    assert main(["verify", str(folder)]) in (0, 1, 2)
    said = capsys.readouterr()
    assert (said.out + said.err).replace("\n", "").isprintable()
    names = [line.split()[0] for line in (said.out + said.err).splitlines()]
    assert names in (["stillhouse:"], ["files", "identity", "student"])
    if said.out:
        check_study(folder, plan)


def test_a_file_that_is_not_there_or_is_none_is_told_once(folder: Path) -> None:
    first, second, *_ = read_papers(folder).files
    for name in (first, second):
        (folder / name).unlink()
    (folder / second).mkdir()
    said = f"{first}: No such file or directory; {second} is a folder, not a file"
    assert failed(check_folder(folder))["files"] == said


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/file"])
def test_files_outside_the_folder_are_not_read(name: str, folder: Path) -> None:
    edited(folder, lambda papers: papers["files"].update({name: "0" * 64}))
    assert failed(check_folder(folder))["files"] == f"{name!r} is no name of a file in this folder"
