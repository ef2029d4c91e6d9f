"""What a study needs and this machine lacks is found before anything starts, with file and line."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from orchestrator.core.findings import Finding
from orchestrator.plan.machine import Machine
from tests.unit.orchestrator.coco_data import annotations, section, voc_section, write_coco, write_voc_splits
from tests.unit.orchestrator.planning import LAPTOP, plan_text
from tests.unit.orchestrator.study_text import VALID, edit
from tests.unit.trainers.voc_folder import write_voc_folder
from trainers.schema import VocDataset
from trainers.schema.record import HISTORY, OUTCOME, DamagedFile, Outcome, write_outcome

SHAPES = "dataset:\n  kind: shapes\n  train_images: 8\n"
CLASSES, TRAIN, VAL = 5, 7, 10  # lines of the study that name the splits


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
        Finding("missing", f"study.yaml:{TRAIN + 1}: dataset.train.annotations", "no annotation file data/train.json"),
        Finding("missing", f"study.yaml:{TRAIN + 2}: dataset.train.images", "no image folder data/images"),
        Finding("missing", f"study.yaml:{VAL}: dataset.val.images", "no image folder data/images"),
    ]


@pytest.mark.parametrize("target", ["train.json", "x" * 300])
def test_a_link_that_cannot_be_followed_is_a_missing_annotation_file(root, target):
    (root / "train.json").unlink()
    (root / "train.json").symlink_to(target)
    where = f"study.yaml:{TRAIN + 1}: dataset.train.annotations"
    assert findings_for(root) == [Finding("missing", where, "no annotation file data/train.json")]


def test_a_link_that_cannot_be_followed_is_a_missing_image_folder(root):
    shutil.rmtree(root / "images")
    (root / "images").symlink_to("x" * 300)
    told = [finding.message for finding in findings_for(root)]
    assert told.count("no image folder data/images") == 2


def test_a_pipe_in_place_of_annotations_is_told_once(root):
    (root / "train.json").unlink()
    os.mkfifo(root / "train.json")
    where = f"study.yaml:{TRAIN}: dataset.train"
    message = "data/train.json: cannot be read as JSON: is a pipe, not a file"
    assert findings_for(root) == [Finding("error", where, message)]


@pytest.mark.parametrize("name", [HISTORY, OUTCOME])
def test_a_damaged_record_of_an_ended_trial_stops_a_plan(root, name):
    student = plan_text(root.parent, edit(SHAPES, section(root))).students[0]
    student.directory.mkdir(parents=True)
    write_outcome(student.directory, Outcome("finished"))
    (student.directory / name).write_text("garbage")
    with pytest.raises(DamagedFile, match=f"{name} is damaged.*: delete {student.directory} and run again"):
        plan_text(root.parent, edit(SHAPES, section(root)))


def test_a_folder_is_no_annotation_file_and_a_file_is_no_image_folder(root):
    (root / "val.json").unlink()
    (root / "val.json").mkdir()
    shutil.rmtree(root / "images")
    (root / "images").touch()
    assert [finding.message for finding in findings_for(root)] == [
        "no image folder data/images",
        "no annotation file data/val.json",
        "no image folder data/images",
    ]


def rename(root: Path, **names: str) -> None:
    """Give the first image of each file another name in the annotations."""
    for split in ("train", "val"):
        content = json.loads((root / f"{split}.json").read_text())
        for image in content["images"]:
            image["file_name"] = names["format"].format(image["file_name"])
        (root / f"{split}.json").write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["images\\{}", "images/{}", "./{}", "{}".upper()])
def test_names_of_other_systems_are_understood(name, root):
    rename(root, format=name)
    assert findings_for(root) == []


def test_names_of_another_machine_are_told_once_and_guessed_at(root):
    rename(root, format="C:\\Users\\me\\images\\{}")
    found = findings_for(root)
    assert [finding.level for finding in found] == ["error", "error"]
    assert (
        "is a path of a Windows machine: leave out everything up to the image folder ('1.jpg' exists)"
        in found[0].message
    )
    assert "(and 1 more image outside of the root)" in found[0].message


def test_images_that_lie_elsewhere_are_told_once_with_their_place(root):
    (root / "images").rename(root / "photos")
    (root / "images").mkdir()
    found = findings_for(root)
    assert [(finding.level, finding.message) for finding in found] == [
        (
            "missing",
            f"data/images/{name} does not exist (the folder 'photos' has {name!r}) (and 1 more of 2)",
        )
        for name in ("1.jpg", "v1.jpg")
    ]


def test_a_folder_that_has_another_name_is_told_once_with_it(root):
    (root / "images").rename(root / "photos")
    assert [(finding.level, finding.message) for finding in findings_for(root)] == [
        ("missing", f"no image folder data/images (the folder 'photos' has {name!r})") for name in ("1.jpg", "v1.jpg")
    ]


def test_images_of_another_suffix_are_told_once(root):
    for path in (root / "images").iterdir():
        path.rename(path.with_suffix(".png"))
    assert [finding.message for finding in findings_for(root)] == [
        f"data/images/{name}.jpg does not exist (the folder has '{name}.png') (and 1 more of 2)" for name in ("1", "v1")
    ]


def deep(root: Path, top: int) -> None:
    """Make the images 16 bits deep, with values up to ``top``."""
    for path in (root / "images").iterdir():
        path.write_bytes(
            cv2.imencode(".png", np.linspace(0, top, 64 * 48).reshape(48, 64).astype(np.uint16))[1].tobytes()
        )


def test_images_that_would_be_black_are_an_error_until_the_user_says_more(root):
    deep(root, 4000)
    found = findings_for(root)
    assert [finding.level for finding in found] == ["error", "error"]
    assert "set dataset.bit_depth" in found[0].message
    assert findings_for(root, "dataset.bit_depth=12") == []
    deep(root, 65535)
    assert findings_for(root) == []


@pytest.mark.parametrize(("orientation", "level"), [(1, []), (3, ["warning"] * 2), (6, [])])
def test_images_that_exif_turns_are_warned_of_where_sizes_do_not_tell(orientation, level, root):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for path in (root / "images").iterdir():
        Image.new("RGB", (64, 48)).save(path, exif=exif)
    assert [finding.level for finding in findings_for(root)] == level
    assert findings_for(root, "dataset.exif=ignore") == []


IMAGES = "data/images"


def damage(root: Path, name: str, kind: str) -> None:
    """Spoil an image of ``write_coco`` in one of the ways in which copies and downloads fail."""
    path = root / "images" / name
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "web page": b"<html>404</html>"}[kind])


@pytest.fixture
def thirty(tmp_path: Path) -> Path:
    """Write 30 images a split."""
    return write_coco(tmp_path / "data", [(1, 2)] * 30)


@pytest.mark.parametrize("number", [1, 30])
@pytest.mark.parametrize(
    ("kind", "says"),
    [("empty", "is empty"), ("cut", "is damaged: "), ("web page", "is a web page: its download went wrong")],
)
def test_an_image_that_cannot_be_used_is_found_wherever_it_stands(number, kind, says, thirty, monkeypatch):
    monkeypatch.setattr("orchestrator.dataset_check.readings.LOOKED_AT", 3)
    damage(thirty, f"{number}.jpg", kind)
    [found] = findings_for(thirty)
    assert (found.level, found.where) == ("error", f"study.yaml:{TRAIN}: dataset.train")
    assert found.message.startswith(f"1 of 30 images cannot be used: {IMAGES}/{number}.jpg {says}")


def test_three_images_that_cannot_be_used_are_named_and_the_others_counted(thirty, monkeypatch):
    for number in (3, 7, 8, 20, 29):
        damage(thirty, f"{number}.jpg", "empty")
    named = ", ".join(f"{IMAGES}/{number}.jpg is empty" for number in (3, 7, 8))
    [found] = findings_for(thirty)
    assert found.message == f"5 of 30 images cannot be used: {named} (and 2 more)"
    monkeypatch.setattr("orchestrator.dataset_check.image_findings.CLOSER_S", -1.0)
    [found] = findings_for(thirty)
    assert found.message == f"at least 3 of 30 images cannot be used: {named}"


def test_a_header_that_is_damaged_between_sound_ends_is_an_error(root):
    path = root / "images" / "2.jpg"
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(len(content) - 6) + content[-2:])
    [found] = findings_for(root)
    assert (found.level, found.message) == ("error", f"1 of 2 images cannot be used: {IMAGES}/2.jpg is no image")


def test_what_looks_odd_and_can_be_read_is_no_error(root):
    path = root / "images" / "2.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(2000))  # some cameras write more after the image
    assert findings_for(root) == []
    path.write_bytes(whole.removesuffix(b"\xff\xd9") + bytes(9000))  # room that a download has not filled
    [found] = findings_for(root)
    assert (found.level, found.message) == ("warning", f"1 of 2 images can be read but have no end: {IMAGES}/2.jpg")
    Image.new("RGB", (64, 48)).save(path, "PPM")  # OpenCV reads it by its content
    assert findings_for(root) == []


def test_empty_images_that_are_not_used_stop_nothing(root):
    (root / "images" / "2.jpg").write_bytes(b"")
    (root / "train.json").write_text(json.dumps(annotations([(1, 2), ()])))
    [note] = findings_for(root)
    assert note.level == "note"
    assert note.message == "1 of 2 images has no box and is not trained on, unless dataset.keep_empty is true"


def test_a_slow_file_system_is_not_asked_for_every_image(root, monkeypatch):
    (root / "images" / "2.jpg").write_bytes(b"")
    monkeypatch.setattr("orchestrator.dataset_check.image_findings.LONGEST_S", -1.0)
    monkeypatch.setattr("orchestrator.dataset_check.image_findings.LEAST_ENDS", 1)
    monkeypatch.setattr("orchestrator.dataset_check.readings.LOOKED_AT", 1)
    found = findings_for(root)
    assert [finding.level for finding in found] == ["note", "note"]
    assert all("only the first 1 of 2 images were looked at" in finding.message for finding in found)


@pytest.mark.parametrize(
    ("orientation", "exif", "says"),
    [
        (None, "auto", "width and height are exchanged, as in an image that has been turned"),
        (
            6,
            "apply",
            "dataset.exif is apply; boxes seem to belong to the pixels as they are stored: set dataset.exif to",
        ),
        (
            6,
            "ignore",
            "dataset.exif is ignore; boxes seem to belong to the pixels as viewers show them: set dataset.exif",
        ),
    ],
)
def test_sizes_that_are_exchanged_are_told_with_their_cause(orientation, exif, says, root):
    turned = Image.Exif()
    if orientation:
        turned[0x0112] = orientation
    size = (64, 48) if orientation and exif == "apply" else (48, 64)  # 48 x 64 is turned to 64 x 48
    for path in (root / "images").iterdir():
        Image.new("RGB", size).save(path, exif=turned)
    found = findings_for(root, f"dataset.exif={exif}")
    assert [finding.level for finding in found] == ["warning", "warning"]
    assert says in found[0].message


def twice_as_large(content):
    for image in content["images"]:
        image.update(width=128, height=96)


def two_more_ids(content):
    """Give the first image's file two more ids, each with a box."""
    for number in (7, 8):
        content["images"].append({**content["images"][0], "id": number})
        content["annotations"].append({**content["annotations"][0], "id": number, "image_id": number})


def as_corners(content):
    """Write boxes by their corners: two that reach out if these are taken for sizes, and one that does not."""
    for entry, box in zip(content["annotations"], ([20, 9, 60, 40], [30, 9, 50, 20], [1, 1, 9, 9]), strict=True):
        entry["bbox"] = box


@pytest.mark.parametrize(
    ("edited", "message"),
    [
        (
            as_corners,
            (
                "data/train.json: 2 of 3 boxes looked at, such as [20, 9, 60, 40], reach out of their images as x, y, "
                "width, height and fit as x1, y1, x2, y2: does the file give corners? COCO's bbox is x, y, width, height"
            ),
        ),
        (
            twice_as_large,
            (
                "2 of the first 2 images are of another size than annotated, so that boxes lie elsewhere: "
                "data/images/1.jpg has 64 x 48 pixels, annotated are 128 x 96"
            ),
        ),
        (
            two_more_ids,
            (
                "data/train.json: image 7: has the file data/images/1.jpg, as image 1 has: each is without the other's "
                "boxes (and 1 more)"
            ),
        ),
    ],
)
def test_what_is_wrong_as_a_whole_is_told_once(edited, message, root):
    content = json.loads((root / "train.json").read_text())
    edited(content)
    (root / "train.json").write_text(json.dumps(content))
    assert findings_for(root) == [Finding("warning", f"study.yaml:{TRAIN}: dataset.train", message)]


def test_a_voc_folder_without_lists_needs_none(tmp_path):
    voc = write_voc_folder(tmp_path / "data")
    shutil.rmtree(Path(voc.root) / "VOC2007" / "ImageSets")
    shutil.copytree(Path(voc.root) / "VOC2007", Path(voc.root) / "VOC2012")
    text = "\n".join(
        (
            "dataset:",
            "  kind: voc",
            "  root: data",
            "  classes: [cat, dog]",
            "  image_size: [64, 64]",
            "  {}: [{}]",
            "  {}: [{}]",
            "",
        )
    )
    listed, unlisted, other = "{folder: VOC2007, set: trainval}", "{folder: VOC2007}", "{folder: VOC2012}"
    said = [
        finding.message
        for finding in plan_text(tmp_path, edit(SHAPES, text.format("train", listed, "val", other))).findings
    ]
    folder = tmp_path / "data" / "VOC2007"
    assert said == [
        f"no list of images {folder}/ImageSets/Main/trainval.txt: leave out set to take all 4 XML files of {folder}/Annotations"
    ]
    assert plan_text(tmp_path, edit(SHAPES, text.format("train", unlisted, "val", other))).findings == ()


def test_a_missing_root_is_reported_once(tmp_path):
    assert findings_for(tmp_path / "data") == [
        Finding("missing", "study.yaml:4: dataset.root", "no such folder: data"),
    ]


def test_a_class_that_the_file_lacks_is_an_error(root):
    (root / "val.json").write_text(json.dumps(annotations([(1,)], ("cat",), prefix="v")))
    message = "data/val.json: categories: the study's class 'dog' is not among them"
    assert findings_for(root) == [Finding("error", f"study.yaml:{VAL}: dataset.val", message)]


def test_a_class_that_is_spelt_otherwise_is_told_once(root):
    assert findings_for(root, "dataset.classes=[cat, dogs]") == [
        Finding("error", "--set dataset.classes", "no box is called dogs; the files have dog (4): did you mean it?")
    ]
    (root / "val.json").write_text(json.dumps(annotations([(1,)], ("Cat", "dog"), prefix="v")))
    assert findings_for(root)[0] == Finding(
        "error",
        f"study.yaml:{CLASSES}: dataset.classes",
        "no box of val is called cat; its files have Cat (1): did you mean it?",
    )


def test_a_class_in_two_spellings_is_warned_of(root):
    (root / "train.json").write_text(json.dumps(annotations([(1, 2, 3)], ("cat", "dog", "Cat"))))
    message = "train: 1 box is called 'Cat'; the study asks for 'cat' (1): same class in another spelling?"
    assert findings_for(root) == [Finding("warning", f"study.yaml:{CLASSES}: dataset.classes", message)]


def test_classes_that_no_file_has_are_told_once(root):
    assert findings_for(root, "dataset.classes=[bolt, nut]") == [
        Finding("error", "--set dataset.classes", "no box is called bolt or nut; the files have dog (4), cat (2)")
    ]


def test_one_file_for_both_splits_is_an_error(root):
    (root / "link.json").symlink_to("train.json")
    for name in ("train.json", "link.json"):
        [found] = findings_for(root, f"dataset.val={{annotations: {name}, images: images}}")
        assert (found.level, found.message) == (
            "error",
            f"both splits are read from {name}: AP would be that of images which are trained on",
        )


def test_images_in_both_splits_are_counted(root):
    (root / "more").symlink_to("images")
    (root / "val.json").write_text(json.dumps(annotations([(1, 2), (1,), (2,)])))
    grey = (root / "images" / "1.jpg").read_bytes()
    (root / "images" / "3.jpg").write_bytes(grey)
    [found] = findings_for(root, "dataset.val.images=more")
    assert found == Finding(
        "error",
        f"study.yaml:{VAL}: dataset.val",
        "2 of 3 images are trained on too, the first data/more/1.jpg: AP would be that of images which are trained on",
    )


def test_the_file_may_have_the_classes_in_another_order(root):
    (root / "val.json").write_text(json.dumps(annotations([(1, 2)], ("dog", "cat"), prefix="v")))
    assert findings_for(root) == []


def test_a_file_may_have_classes_that_the_study_leaves_out(root):
    for split, prefix in (("train", ""), ("val", "v")):
        content = annotations([(1, 2), (4,)], ("bird", "cat", "cow", "dog"), prefix=prefix)
        (root / f"{split}.json").write_text(json.dumps(content))
    assert findings_for(root) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"images": [', "cannot be read as JSON: Expecting value"),
        (b"\xff\xfe\x00", "is in UTF-16: save it as UTF-8"),
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
    message = "no box is called person, bicycle, car or 75 more; the files have dog (4), cat (2)"
    assert findings_for(root, "dataset.classes=coco80") == [Finding("error", "--set dataset.classes", message)]


def test_a_huge_file_is_left_to_the_worker(root, monkeypatch):
    (root / "train.json").write_bytes(b"{")
    monkeypatch.setattr("orchestrator.dataset_check.readings.READABLE", 0)
    found = findings_for(root)
    assert [(finding.level, finding.where.split(": ")[-1]) for finding in found] == [
        ("note", "dataset.train"),
        ("note", "dataset.val"),
    ]
    assert all("above 64 MiB are checked when training begins; trials' ids" in finding.message for finding in found)


@pytest.fixture
def voc(tmp_path: Path) -> VocDataset:
    return write_voc_splits(tmp_path / "data")


def voc_findings(dataset: VocDataset) -> list[str]:
    """Plan a study of a VOC folder and return the level and message of its findings, names relative to its folder."""
    root = Path(dataset.root)
    plan = plan_text(root.parent, edit(SHAPES, voc_section(dataset)), machine=LAPTOP)
    assert {f.where.rpartition("dataset.")[2].partition("[")[0] for f in plan.findings} <= {"train", "val"}
    return [f"{f.level}: {f.message.replace(f'{root}/VOC2007/', '')}" for f in plan.findings]


def test_nothing_is_missing_in_a_whole_voc_folder(voc):
    assert voc_findings(voc) == []


def test_missing_voc_lists_and_folders_are_named(voc):
    shutil.rmtree(Path(voc.root) / "VOC2007")
    assert voc_findings(voc) == [
        f"missing: no {what}"
        for name in ("trainval", "test")
        for what in (f"list of images ImageSets/Main/{name}.txt", "folder Annotations", "folder JPEGImages")
    ]


def test_a_voc_folder_of_images_that_has_another_name_is_told_with_it(voc):
    folder = Path(voc.root) / "VOC2007"
    (folder / "JPEGImages").rename(folder / "images")
    assert voc_findings(voc) == [
        f"missing: no folder JPEGImages (the folder 'VOC2007/images' has {name!r})"
        for name in ("000000.jpg", "001000.jpg")
    ]


def test_missing_voc_images_are_told_with_their_place(voc):
    folder = Path(voc.root) / "VOC2007"
    (folder / "JPEGImages").rename(folder / "images")
    (folder / "JPEGImages").mkdir()
    [train, val] = voc_findings(voc)
    assert "000000.jpg does not exist (the folder 'VOC2007/images' has '000000.jpg') (and 3 more of 4)" in train
    assert "001000.jpg does not exist (the folder 'VOC2007/images' has '001000.jpg') (and 3 more of 4)" in val


def test_missing_voc_annotations_are_counted(voc):
    for name in ("000001", "000003"):
        (Path(voc.root) / "VOC2007" / "Annotations" / f"{name}.xml").unlink()
    assert voc_findings(voc) == ["missing: 2 of 4 annotation files are missing, the first Annotations/000001.xml"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "ImageSets/Main/trainval.txt names no image"), (b"\xff\xfe", "ImageSets/Main/trainval.txt is not a list")],
)
def test_voc_lists_that_say_nothing_are_an_error(voc, content, says):
    (Path(voc.root) / "VOC2007" / "ImageSets" / "Main" / "trainval.txt").write_bytes(content)
    [found] = voc_findings(voc)
    assert found.startswith(f"error: {says}")


@pytest.mark.parametrize(
    ("machine", "sets", "says"),
    [
        (Machine(1, 0), (), "one trial needs 2 workers x 1 CPU; here: 1 CPU and 0 GPUs"),
        (
            Machine(8, 1),
            ("scaling.loader_workers=2",),
            "one trial needs 2 workers x 3 CPU + 1 GPU; here: 8 CPUs and 1 GPU",
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


@pytest.mark.parametrize("key", ["labels", "images", "data"])
def test_what_is_missing_of_a_yolo_folder_is_the_one_finding(key, tmp_path):
    for split in ("train", "val"):
        for folder in ("images", "labels"):
            (tmp_path / "data" / folder / split).mkdir(parents=True)
        Image.new("RGB", (64, 48)).save(tmp_path / "data" / "images" / split / f"{split}.png")
        (tmp_path / "data" / "labels" / split / f"{split}.txt").write_text("0 0.5 0.5 0.5 0.5")
    (tmp_path / "data" / "names.yaml").write_text("names: [cat]")
    paths = {"images": "images/val", "labels": "labels/val"}
    data, val = ("gone.yaml", paths) if key == "data" else ("names.yaml", paths | {key: "gone"})
    text = (
        f"dataset:\n  kind: yolo\n  root: data\n  data: {data}\n  classes: [cat]\n  image_size: [64, 64]\n"
        f"  val: {{images: {val['images']}, labels: {val['labels']}}}\n"
    )
    findings = [one for one in plan_text(tmp_path, edit(SHAPES, text)).findings if one.level != "note"]
    where = "dataset.data" if key == "data" else f"dataset.val.{key}"
    assert [(one.level, one.where.rpartition(": ")[2]) for one in findings] == [("missing", where)]
