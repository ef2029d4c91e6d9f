"""A study's check finds wrong combinations of a detector and the weights that it starts from, with file, line and key."""

from pathlib import Path

import pytest
import torch

from orchestrator.plan.weights import needed_urls, with_random_weights
from orchestrator.study.load import load_study
from tests.unit.orchestrator.planning import ids, plan_text
from tests.unit.orchestrator.study_text import VALID, edit, findings_of, write
from trainers.schema import Detector
from trainers.schema.detector import Freeze

STUDENT = "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n  weights: random\n"
TEACHER = "width: 0.5, weights: random}"
GFL = "{kind: zoo, name: gfl_r50_fpn_1x_coco}"
SEARCHED = "method.alpha2: [2.0, 4.0]"


def student(*lines: str) -> str:
    text = "".join(f"  {line}\n" for line in ("config: mmdet::gfl/gfl_r50_fpn_1x_coco.py", *lines))
    return edit(STUDENT, text)


@pytest.fixture(autouse=True)
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    torch.save({"state_dict": {"a": torch.ones(1)}}, tmp_path / "coco.pth")
    return tmp_path / "coco.pth"


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        (student("weights: {kind: zoo, name: gfl_r50_fpn_1x_coc}"), "10: student.weights.name", "(did you mean gfl_r50_fpn_1x_coco?)"),
        (student("weights: {kind: zoo, name: gfl_r101_fpn_ms-2x_coco}"), "10: student.weights.name",
         "is of another architecture: depth 101 there, 50 here; its config is mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py"),
        (student("weights: {kind: zoo, name: atss_r101_fpn_1x_coco}"), "10: student.weights.name", "head, depth ATSSHead, 101 there, GFLHead, 50 here"),
        (student(f"weights: {GFL}", "width: 0.5"), "11: student.width", "must be 1.0"),
        (student("weights: {kind: checkpoint, path: gone.pth}"), "10: student.weights.path", "gone.pth"),
        (student("weights: {kind: checkpoint}"), "10: student.weights.path", "required"),
        (student("weights: {kind: checkpoint, path: coco.pth, coverage: 0.5}"), "10: student.weights.coverage", "unknown key"),
        (student("weights: {kind: zo, name: x}"), "10: student.weights.kind", "unknown kind zo (did you mean zoo?)"),
        (student("weights: imagnet"), "10: student.weights", "(did you mean imagenet?)"),
        (student("weights: 5"), "10: student.weights", "imagenet"),
        (student("weights: random", "freeze: {stages: 1}"), "11: student.freeze", "random layers"),
        (student("freeze: {norms: true}", "weights: random"), "10: student.freeze", "random layers"),
        (student(f"weights: {GFL}", "freeze: {stages: 5}"), "11: student.freeze.stages", "a ResNet has 4 stages behind its stem"),
        (student(f"weights: {GFL}", "freeze: {stages: two}"), "11: student.freeze.stages", "a whole number"),
        (edit(STUDENT, "  config: stillhouse::gfl_swint_fpn.py\n  freeze: {norms: true}\n"), "10: student.freeze.norms",
         "has no batch norms"),
        (edit(SEARCHED, f"student.weights: [random, {GFL.replace('r50', 'r5')}]"), "20: search.space.student.weights[1].name", "no public checkpoint"),
        (edit(TEACHER, "weights: {kind: checkpoint, path: gone.pth}}"), "7: teacher.detector.weights.path", "gone.pth"),
        (edit(TEACHER, f"weights: {GFL}}}").replace("kind: train", "kind: random"), "7: teacher.detector.weights", "has no effect"),
    ],
)  # fmt: skip
def test_a_wrong_start_is_told_where_it_stands(text: str, where: str, says: str, tmp_path: Path) -> None:
    found = [finding for finding in findings_of(write(tmp_path, text)) if finding[0] == "error"]
    assert len(found) == 1, found
    assert found[0][1].startswith(f"study.yaml:{where}"), found
    assert says in found[0][2]


@pytest.mark.parametrize(
    "text",
    [
        student(f"weights: {GFL}"),
        student("weights: {kind: checkpoint, path: coco.pth}", "freeze: {stages: -1, norms: false}"),
        student("weights: random", "freeze: {stages: -1, norms: false}"),
        edit(TEACHER, f"weights: {GFL}, freeze: {{stages: 2}}}}"),
        edit(SEARCHED, f"student.weights: [random, {GFL}, {{kind: checkpoint, path: coco.pth}}]"),
        edit(STUDENT, "  config: stillhouse::gfl_mobilenetv2_relu6_fpn.py\n  freeze: {stages: 7}\n"),
    ],
)
def test_a_right_start_says_nothing(text: str, tmp_path: Path) -> None:
    assert findings_of(write(tmp_path, text)) == []


def test_files_are_found_from_the_studys_folder(tmp_path: Path, checkpoint: Path) -> None:
    text = edit(SEARCHED, "student.weights: [{kind: checkpoint, path: coco.pth}]")
    for study in (text, edit(SEARCHED, "student: [{weights: {kind: checkpoint, path: coco.pth}}]")):
        plan = plan_text(tmp_path, study)
        starts = {trial.spec.student.weights.path for trial in plan.students if trial.spec.student.detector_weights}  # type: ignore[union-attr]
        assert starts == {str(checkpoint)}


# ------------------------------------------------------------------------------------------------------------- identity


def test_the_identity_covers_the_files_content_and_not_its_place(tmp_path: Path, checkpoint: Path) -> None:
    text = student("weights: {kind: checkpoint, path: coco.pth}")
    before = plan_text(tmp_path, text)
    checkpoint.rename(tmp_path / "moved.pth")
    moved = plan_text(tmp_path, text.replace("coco.pth", "moved.pth"))
    assert ids(moved) == ids(before)
    assert set(before.students[0].inputs) == {str(checkpoint)}
    torch.save({"state_dict": {"a": torch.zeros(1)}}, tmp_path / "moved.pth")
    other = plan_text(tmp_path, text.replace("coco.pth", "moved.pth"))
    teacher, *students = ids(other)
    assert teacher == ids(before)[0]
    assert not set(students) & set(ids(before))
    assert not set(students) & set(ids(plan_text(tmp_path, student("weights: random"))))


def test_a_teachers_start_is_part_of_its_own_identity_and_so_of_its_students(tmp_path: Path) -> None:
    found = [
        ids(plan_text(tmp_path, edit(TEACHER, f"weights: {weights}}}"))) for weights in (GFL, "random", "imagenet")
    ]
    teachers, distilled = {one[0] for one in found}, [set(one[3:]) for one in found]
    assert len(teachers) == 3
    assert all(distilled)
    assert not distilled[0] & distilled[1]


def test_keys_that_say_nothing_change_no_identity(tmp_path: Path) -> None:
    plain = ids(plan_text(tmp_path, VALID))
    assert ids(plan_text(tmp_path, student("weights: random", "freeze: {}"))) == plain
    assert ids(plan_text(tmp_path, student("weights: random", "freeze: null"))) == plain
    assert ids(plan_text(tmp_path, student("weights: random", "freeze: {stages: -1}")))[1:] != plain[1:]


def test_records_of_detectors_that_freeze_nothing_are_those_of_earlier_releases() -> None:
    plain = Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py")
    keys = {"config", "backbone_depth", "width", "depth", "weights"}
    assert set(plain.model_dump()) == keys
    frozen = plain.model_copy(update={"freeze": Freeze(stages=0)})
    assert frozen.settings()["freeze"] == {"stages": 0, "norms": None}
    assert Detector.model_validate_json(frozen.model_dump_json()) == frozen


# ------------------------------------------------------------------------------------------------------------- fetching


def test_a_public_start_is_fetched_and_can_be_replaced(tmp_path: Path) -> None:
    loaded = load_study(write(tmp_path, student(f"weights: {GFL}", "freeze: {stages: 1}")))
    [(url, key)] = needed_urls(loaded.study).items()
    assert (url.rsplit("/", 1)[1], key) == ("gfl_r50_fpn_1x_coco_20200629_121244-25944287.pth", "student.weights")
    replaced = with_random_weights(loaded.study)
    assert needed_urls(replaced) == {}
    assert (replaced.student.weights, replaced.student.freeze) == ("random", None)


def test_a_file_that_is_no_checkpoint_is_an_error_of_the_plan(tmp_path: Path, checkpoint: Path) -> None:
    checkpoint.write_text("<html>")
    plan = plan_text(tmp_path, student("weights: {kind: checkpoint, path: coco.pth}"))
    [error] = [str(finding) for finding in plan.findings if finding.level == "error"]
    assert "10: student.weights.path: " in error
    assert error.endswith("coco.pth is an HTML page, not a checkpoint: download the file itself")
