"""What a study needs and this machine lacks is found before anything starts, with file and line."""

import json
import shutil
from pathlib import Path

import pytest

from orchestrator.findings import Finding
from orchestrator.machine import Machine
from tests.unit.orchestrator.coco_data import annotations, section, write_coco
from tests.unit.orchestrator.planning import LAPTOP, plan_text
from tests.unit.orchestrator.study_text import VALID, edit
from tests.unit.trainers.voc_folder import write_voc_folder
from trainers.spec import VocDataset

SHAPES = "dataset:\n  kind: shapes\n  train_images: 8\n"
TRAIN, VAL = 7, 10  # lines of the study that name the splits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_coco(tmp_path / "data")


def findings_for(root: Path, *sets: str, machine: Machine = LAPTOP) -> list[Finding]:
    """Plan a study of the data at ``root`` and return its findings, the study's folder left out."""
    plan = plan_text(root.parent, edit(SHAPES, section(root)), *sets, machine=machine)
    folder = f"{root.parent}/"
    return [Finding(f.level, f.where.replace(folder, ""), f.message.replace(folder, "")) for f in plan.findings]


def test_nothing_is_missing_where_all_is_there(root):
    assert findings_for(root) == []


def test_missing_files_and_folders_are_named_one_by_one(root):
    (root / "train.json").unlink()
    shutil.rmtree(root / "images")
    assert findings_for(root) == [
        Finding("missing", f"study.yaml:{TRAIN}: dataset.train", "no annotation file data/train.json"),
        Finding("missing", f"study.yaml:{TRAIN}: dataset.train", "no image folder data/images"),
        Finding("missing", f"study.yaml:{VAL}: dataset.val", "no image folder data/images"),
    ]


def test_a_folder_is_no_annotation_file_and_a_file_is_no_image_folder(root):
    (root / "val.json").unlink()
    (root / "val.json").mkdir()
    (root / "images").rmdir()
    (root / "images").touch()
    assert [finding.message for finding in findings_for(root)] == [
        "no image folder data/images",
        "no annotation file data/val.json",
        "no image folder data/images",
    ]


def test_a_missing_root_is_reported_once(tmp_path):
    assert findings_for(tmp_path / "data") == [
        Finding("missing", "study.yaml:4: dataset.root", "no such folder: data"),
    ]


@pytest.mark.parametrize(("classes", "absent"), [(("cat",), "dog"), (("Cat", "dog"), "cat")])
def test_classes_that_the_file_lacks_are_an_error(root, classes, absent):
    (root / "val.json").write_text(json.dumps(annotations([(1,)], classes)))
    message = f"data/val.json: categories: the study's class {absent!r} is not among them"
    assert findings_for(root) == [Finding("error", f"study.yaml:{VAL}: dataset.val", message)]


def test_the_file_may_have_the_classes_in_another_order(root):
    (root / "val.json").write_text(json.dumps(annotations([(1, 2)], ("dog", "cat"))))
    assert findings_for(root) == []


def test_a_file_may_have_classes_that_the_study_leaves_out(root):
    for split in ("train", "val"):
        (root / f"{split}.json").write_text(json.dumps(annotations([(1, 2), (4,)], ("bird", "cat", "cow", "dog"))))
    assert findings_for(root) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read as JSON: Expecting value"),
        (b'{"images": [', "cannot be read as JSON: Expecting value"),
        (b"\xff\xfe\x00", "begins with a byte order mark"),
        (b"[]", "holds [] instead of an object"),
        (b"{}", "has no list of images"),
        (b'{"images": [], "annotations": [], "categories": 1}', "categories is no list"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
    ids=lambda value: str(value[:20]),
)
@pytest.mark.parametrize("classes", ["[cat, dog]", "coco80"])
def test_damaged_annotations_are_an_error(root, content, says, classes):
    (root / "train.json").write_bytes(content)
    found = findings_for(root, f"dataset.classes={classes}")
    [damaged] = [finding for finding in found if "train.json" in finding.message]
    assert damaged.level == "error"
    assert damaged.where == f"study.yaml:{TRAIN}: dataset.train"
    assert damaged.message.startswith(f"data/train.json: {says}")


def test_coco80_needs_eighty_classes(root):
    found = findings_for(root, "dataset.classes=coco80")
    assert [finding.level for finding in found] == ["error", "error"]
    message = "data/train.json: categories: the study's class 'person' is not among them (and 77 more absent classes)"
    assert found[0].message == message


def test_a_huge_file_is_left_to_the_worker(root, monkeypatch):
    (root / "train.json").write_bytes(b"{")
    monkeypatch.setattr("orchestrator.readings.READABLE", 0)
    assert findings_for(root) == []


@pytest.fixture
def voc(tmp_path: Path) -> VocDataset:
    return write_voc_folder(tmp_path / "data")


def voc_findings(dataset: VocDataset) -> list[str]:
    """Plan a study of a VOC folder and return the level and message of its findings, names relative to its folder."""
    root = Path(dataset.root)
    parts = "[{folder: VOC2007, set: trainval}]"
    text = f"dataset:\n  kind: voc\n  root: {root}\n  classes: [cat, dog]\n  train: {parts}\n  val: {parts}\n"
    plan = plan_text(root.parent, edit(SHAPES, text), machine=LAPTOP)
    assert {f.where.rpartition("dataset.")[2] for f in plan.findings} <= {"train", "val"}
    return [f"{f.level}: {f.message.replace(f'{root}/VOC2007/', '')}" for f in plan.findings]


def test_nothing_is_missing_in_a_whole_voc_folder(voc):
    assert voc_findings(voc) == []


def test_missing_voc_lists_and_folders_are_named(voc):
    shutil.rmtree(Path(voc.root) / "VOC2007")
    missing = ["list of images ImageSets/Main/trainval.txt", "folder Annotations", "folder JPEGImages"]
    assert voc_findings(voc) == 2 * [f"missing: no {what}" for what in missing]


def test_missing_voc_annotations_are_counted(voc):
    for name in ("000001", "000003"):
        (Path(voc.root) / "VOC2007" / "Annotations" / f"{name}.xml").unlink()
    message = "missing: 2 of 4 annotation files are missing, the first Annotations/000001.xml"
    assert voc_findings(voc) == [message, message]


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "ImageSets/Main/trainval.txt names no image"), (b"\xff\xfe", "ImageSets/Main/trainval.txt is not a list")],
)
def test_voc_lists_that_say_nothing_are_an_error(voc, content, says):
    (Path(voc.root) / "VOC2007" / "ImageSets" / "Main" / "trainval.txt").write_bytes(content)
    found = voc_findings(voc)
    assert [finding.startswith(f"error: {says}") for finding in found] == [True, True]


@pytest.mark.parametrize(
    ("machine", "sets", "says"),
    [
        (Machine(1, 0), (), "one trial needs 2 workers x 1 CPU; here are 1 CPUs and 0 GPUs"),
        (
            Machine(8, 1),
            ("scaling.loader_workers=2",),
            "one trial needs 2 workers x 3 CPU + 1 GPU; here are 8 CPUs and 1 GPUs",
        ),
    ],
)
def test_a_trial_that_fits_nowhere_is_named(root, machine, sets, says):
    assert findings_for(root, *sets, machine=machine) == [Finding("missing", findings_where(VALID), says)]


def findings_where(text: str) -> str:
    """Return where the study's section ``scaling`` is, five lines of the dataset more than in ``text``."""
    longer = section("x").count("\n") - SHAPES.count("\n")
    return f"study.yaml:{text.splitlines().index('scaling:') + 1 + longer}: scaling"


@pytest.mark.parametrize(
    ("machine", "sets", "keys"),
    [
        (Machine(8, 0), ("schedule.precision=fp16",), ["schedule.precision"]),
        (Machine(8, 0), ("schedule.teacher_precision=fp16",), ["schedule.teacher_precision"]),
        (Machine(8, 0), ("schedule.precision=bf16",), []),
        (Machine(32, 8), ("schedule.precision=fp16",), []),
    ],
)
def test_float16_without_a_gpu_is_warned_of(root, machine, sets, keys):
    found = findings_for(root, *sets, machine=machine)
    assert [f.where for f in found] == [f"--set {key}" for key in keys]
    assert all(f.level == "warning" and "CPUs take many times as long in fp16" in f.message for f in found)
