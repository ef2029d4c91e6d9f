"""Prove that ``init`` recognises the layouts of labelling tools, and that the study which it writes is right."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.core.errors import UserError
from orchestrator.dataset_check.study_check import check_study
from orchestrator.first_study.choices import choose
from orchestrator.first_study.contents import Contents, contents_of
from orchestrator.first_study.files import look_into
from orchestrator.first_study.found import Found
from orchestrator.first_study.recognise import recognise
from orchestrator.first_study.split_names import split_of
from orchestrator.first_study.text import flow, scalar, study_text
from orchestrator.first_study.voc_folder import find_voc
from orchestrator.first_study.yolo_folder import find_yolo
from orchestrator.plan.machine import Machine
from orchestrator.study.load import load_study
from tests.unit.orchestrator.first_study import layouts
from tests.unit.orchestrator.first_study.layouts import LAYOUTS
from trainers.schema.annotations import read_split
from trainers.schema.dataset import SplitName, splits_of
from trainers.schema.user_file import LARGEST_LABELS


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_recognised_with_its_splits_classes_and_boxes(name: str, tmp_path: Path) -> None:
    write, kind, images = LAYOUTS[name]
    write(tmp_path)
    found = recognise(look_into(tmp_path))
    contents = contents_of(found, tmp_path)
    assert (found.kind, contents.names, contents.images) == (kind, layouts.CLASSES, images)
    assert sum(boxes["bolt"] for boxes in contents.boxes.values()) == layouts.COUNT - 2
    assert sum(boxes["nut"] for boxes in contents.boxes.values()) == 6
    assert contents.image == (layouts.WIDE, layouts.HIGH)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_written_study_is_right_and_reads_the_same_boxes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    LAYOUTS[name][0](tmp_path / "parts")
    monkeypatch.chdir(tmp_path)
    assert main(["init", "parts"]) == 0
    assert capsys.readouterr().err == "next:    stillhouse check study.yaml\n"
    loaded = load_study("study.yaml")
    assert not [item for item in check_study(loaded) if item.level in ("error", "missing")]
    dataset = loaded.study.dataset
    assert dataset.kind != "shapes"
    splits = {split: read_split(dataset, split) for split in splits_of(dataset)}
    assert sum(len(part.images) for part in splits.values()) == layouts.COUNT
    assert len(splits["val"].images) >= 3
    corners = {box.label: box.corners for part in splits.values() for image in part.images for box in image.boxes}
    assert corners[0] == pytest.approx(layouts.BOXES[0])
    assert corners[1] == pytest.approx(layouts.BOXES[1])


@pytest.mark.parametrize("below", ["day 1", "."])
def test_each_split_has_the_images_of_its_own_folder(below: str, tmp_path: Path) -> None:
    layouts.coco_with_repeated_names(tmp_path, below)
    places = {split: part["images"] for split, part in recognise(look_into(tmp_path)).splits.items()}
    assert places == {"train": "train", "val": "val"}


def test_an_image_in_a_nested_folder_counts_once(tmp_path: Path) -> None:
    for at in ("train", "train/sub", "val"):
        for number in range(2):
            name = f"{at}/{number}_{at.replace('/', '_')}"
            layouts.image(tmp_path / f"images/{name}.jpg", number)
            layouts.text(tmp_path / f"labels/{name}.txt", layouts.yolo(number))
    splits = recognise(look_into(tmp_path)).splits
    assert splits == {"train": {"images": "images/train"}, "val": {"images": "images/val"}}


def pipe(path: Path) -> None:
    os.mkfifo(path)


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST_LABELS + 1)


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe0")


@pytest.mark.parametrize("spoilt", [pipe, too_large, no_text])
def test_a_file_that_cannot_be_read_as_labels_hides_no_others(spoilt: Callable[[Path], None], tmp_path: Path) -> None:
    layouts.labelimg_yolo(tmp_path)
    (tmp_path / "0.txt").unlink()
    spoilt(tmp_path / "0.txt")
    found = find_yolo(look_into(tmp_path))
    assert found is not None
    assert found.splits == {"train": {"images": "."}}


def test_other_formats_beside_the_one_that_is_read_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.labelimg_voc(tmp_path)
    layouts.labelimg_yolo(tmp_path)
    found = recognise(look_into(tmp_path))
    assert found.kind == "voc"
    assert found.remarks[-1] == "Also here, and not used: YOLO's text labels (classes.txt)."
    assert main(["init", str(tmp_path), "--to", str(tmp_path / "s.yaml")]) == 0
    assert f"note: {found.remarks[-1]}\n" in capsys.readouterr().out


def test_annotations_without_an_image_are_refused(tmp_path: Path) -> None:
    layouts.text(tmp_path / "0.xml", layouts.voc(0))
    with pytest.raises(UserError, match=r"Pascal VOC's XML \(\.\) was found, and no image$"):
        recognise(look_into(tmp_path))


def test_a_folder_without_annotations_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.image(tmp_path / "a.jpg", 0)
    layouts.text(tmp_path / "notes.txt", "hello")
    assert main(["init", str(tmp_path), "--to", str(tmp_path / "s.yaml")]) == 2
    assert "no boxes in COCO's JSON, VOC's XML or YOLO's text format; there are 1 image file, 1 text file" in (
        capsys.readouterr().err
    )


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.text(tmp_path / "a.json", "{}")
    assert main(["init", str(tmp_path / "a.json")]) == 2
    assert "a.json is a file: name the folder that it lies in" in capsys.readouterr().err
    layouts.text(tmp_path / "study.yaml", "mine")
    assert main(["init", str(tmp_path / "none"), "--to", str(tmp_path / "study.yaml")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_images_without_a_file_and_without_a_box_are_told_and_not_counted_as_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layouts.labelimg_voc(tmp_path / "data")  # 18 images with boxes: 14 to train on, 4 steps of 4
    layouts.image(tmp_path / "data/forgotten.jpg", 0)
    for number in range(10):
        layouts.image(tmp_path / f"data/empty{number}.jpg", 0)
        layouts.text(tmp_path / f"data/empty{number}.xml", layouts.voc(layouts.EMPTY[0]))
    target = tmp_path / "study.yaml"
    assert main(["init", str(tmp_path / "data"), "--to", str(target)]) == 0
    assert "note: 1 image has no XML file and is not used." in capsys.readouterr().out
    assert "x 4 steps" in target.read_text()


def test_a_file_is_not_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.labelimg_voc(tmp_path / "data")
    target = tmp_path / "study.yaml"
    target.write_text("mine")
    assert main(["init", str(tmp_path / "data"), "--to", str(target)]) == 2
    assert "add --force" in capsys.readouterr().err
    assert target.read_text() == "mine"
    assert main(["init", str(tmp_path / "data"), "--to", str(target), "--force"]) == 0


def test_yolo_labels_without_names_say_where_names_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.labelimg_yolo(tmp_path)
    (tmp_path / "classes.txt").unlink()
    assert main(["init", str(tmp_path), "--to", str(tmp_path / "s.yaml")]) == 2
    assert f"write them into {tmp_path}/classes.txt, one a line, class 0 first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "split"),
    [("annotations/instances_val2017.json", "val"), ("train/_annotations.coco.json", "train"), ("valid", "val"),
     ("images/TEST", "test"), ("trained_by_me/all.json", None), ("train/validation.json", "val"), (".", None)],
)  # fmt: skip
def test_a_name_tells_the_split(path: str, split: str | None) -> None:
    assert split_of(path) == split


ODD = [
    "yes",
    "No",
    "ON",
    "Off",
    "Y",
    "1",
    "a: b",
    "红",
    "it's",
    '"',
    "a #b",
    "a\nb",
    "null",
    "NULL",
    "True",
    "C++",
    "~",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_come_back_from_yaml_of_both_versions(name: str) -> None:
    import yaml
    from ruamel.yaml import YAML

    text = f"[{scalar(name)}, {flow({'k': name})}]"
    assert YAML(typ="safe", pure=True).load(text) == [name, {"k": name}]
    assert yaml.safe_load(text) == [name, {"k": name}]  # of version 1.1, as other tools read it


@pytest.mark.parametrize(
    ("places", "first_pixel"),
    [
        (["VOCdevkit/VOC2007/Annotations"], None),
        (["VOC2012"], None),
        (["data/VOC2007"], None),
        (["VOC2007/Annotations", "VOC2012/Annotations"], None),
        (["VOC2007/Annotations", "more/Annotations"], 0),
        (["VOC20070/Annotations"], 0),
        (["myVOC2007/Annotations"], 0),
        (["."], 0),
    ],
)
def test_pixels_count_from_one_in_pascals_own_folders_and_from_zero_elsewhere(
    places: list[str], first_pixel: int | None, tmp_path: Path
) -> None:
    for number, place in enumerate(places):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / f"{number}.xml").write_text(layouts.voc(number))
    found = find_voc(look_into(tmp_path))
    assert found is not None
    assert found.settings.get("first_pixel") == first_pixel


@pytest.mark.parametrize("images", [30, 3_000, 200_000])
@pytest.mark.parametrize("gpus", [0, 1])
def test_the_study_is_right_on_other_machines_and_for_other_sizes(tmp_path: Path, gpus: int, images: int) -> None:
    boxes: dict[SplitName, Counter[str]] = {"train": Counter(bolt=9)}
    contents = Contents(("bolt",), boxes, {"train": images}, (4000, 3000), 200.0, 300, images)
    found = Found("coco", "COCO JSON", {"train": {"annotations": "a.json", "images": "."}})
    path = tmp_path / "study.yaml"
    path.write_text(study_text("mine", ".", found, contents, choose(contents, Machine(8, gpus))))
    (tmp_path / "a.json").write_text("{}")
    study = load_study(path).study
    assert study.dataset.max_detections == 300
    assert study.student.weights == ("imagenet" if gpus else "random")
