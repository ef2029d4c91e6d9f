"""`check` names the data that is not on this machine, by looking for files and folders alone."""

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.dataset_check.data_files import missing_files
from orchestrator.study.load import load_study
from tests.unit.orchestrator.coco_data import grey_image, section, write_coco, write_voc_splits
from tests.unit.orchestrator.study_text import edit, write

SHAPES = "dataset:\n  kind: shapes\n  train_images: 8\n"


def missing(folder: Path, dataset: str) -> list[str]:
    """Return what is missing of a study's data, each as a finding's text without the study's folder."""
    loaded = load_study(write(folder, edit(SHAPES, dataset)))
    return [str(finding).replace(f"{folder}/", "") for finding in missing_files(loaded)]


def test_coco_files_and_folders_are_named(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "data")
    assert missing(tmp_path, section(root)) == []
    (root / "val.json").unlink()
    shutil.rmtree(root / "images")
    assert missing(tmp_path, section(root)) == [
        "study.yaml:9: dataset.train.images: missing: no image folder data/images",
        "study.yaml:10: dataset.val.annotations: missing: no annotation file data/val.json",
        "study.yaml:10: dataset.val.images: missing: no image folder data/images",
    ]


def test_a_pipe_is_no_annotation_file_and_not_missing(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "data")
    (root / "val.json").unlink()
    os.mkfifo(root / "val.json")
    assert missing(tmp_path, section(root)) == ["study.yaml:10: dataset.val: data/val.json is a pipe, not a file"]


def test_voc_lists_and_folders_are_named(tmp_path: Path) -> None:
    voc = Path(write_voc_splits(tmp_path / "data").root) / "VOC2007"
    text = (
        "dataset:\n  kind: voc\n  root: data\n  classes: [cat, dog]\n"
        "  train: [{folder: VOC2007, set: trainval}]\n  val: [{folder: VOC2007, set: test}]\n"
    )
    assert missing(tmp_path, text) == []
    (voc / "ImageSets" / "Main" / "test.txt").unlink()
    shutil.rmtree(voc / "Annotations")
    assert [line.rpartition("missing: ")[2] for line in missing(tmp_path, text)] == [
        "no folder data/VOC2007/Annotations",
        "no list of images data/VOC2007/ImageSets/Main/test.txt",
        "no folder data/VOC2007/Annotations",
    ]


YOLO = "dataset:\n  kind: yolo\n  root: data\n  classes: [cat]\n  train: {{{}}}\n  val: {{images: images/val}}\n"


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("images: images/trainn", "images: missing: no folder or list of images data/images/trainn (did you mean images/train?)"),
        ("images: imgaes/trainn", "images: missing: no folder or list of images data/imgaes/trainn (did you mean images/train?)"),
        ("images: images/vla", "images: missing: no folder or list of images data/images/vla"),  # val is another split
        ("images: trainn.txt", "images: missing: no folder or list of images data/trainn.txt (did you mean train.txt?)"),
        ("images: images/train, labels: labls", "labels: missing: no folder of labels data/labls (did you mean labels?)"),
    ],
)  # fmt: skip
def test_a_path_of_yolo_is_named_with_what_was_probably_meant(train: str, said: str, tmp_path: Path) -> None:
    for name in ("images/train", "images/val", "labels"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "data/train.txt").touch()
    assert missing(tmp_path, YOLO.format(train)) == [f"study.yaml:6: dataset.train.{said}"]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("folder: VOC2007, set: trainn", ["set: missing: no list of images {0}/VOC2007/ImageSets/Main/trainn.txt (did you mean train?)"]),
        ("folder: VOC2007, set: train, images: JPGImages", ["images: missing: no folder {0}/VOC2007/JPGImages (the folder 'VOC2007/JPEGImages' has '000000.jpg')"]),
        ("folder: VOC2007, set: train, annotations: Annotationz", ["annotations: missing: no folder {0}/VOC2007/Annotationz (did you mean Annotations?)"]),
        ("folder: VOC207", ["annotations: missing: no folder {0}/VOC207/Annotations (did you mean folder: VOC2007?)",
                            "images: missing: no folder {0}/VOC207/JPEGImages (did you mean folder: VOC2007?)"]),
    ],
)  # fmt: skip
def test_a_path_of_voc_is_named_with_what_was_probably_meant(part: str, said: list[str], tmp_path: Path) -> None:
    voc = Path(write_voc_splits(tmp_path / "data").root) / "VOC2007"
    lists = voc / "ImageSets" / "Main"
    (lists / "trainval.txt").rename(lists / "train.txt")
    text = (
        "dataset:\n  kind: voc\n  root: data\n  classes: [cat, dog]\n"
        f"  train: [{{{part}}}]\n  val: [{{folder: VOC2007, set: test}}]\n"
    )
    assert missing(tmp_path, text) == [f"study.yaml:6: dataset.train[0].{one.format('data')}" for one in said]


def test_a_path_of_coco_is_named_with_what_was_probably_meant(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "data")
    (root / "train.json").rename(root / "trainn.json")
    (root / "images").rename(root / "imagse")
    assert missing(tmp_path, section(root))[:2] == [
        "study.yaml:8: dataset.train.annotations: missing: no annotation file data/train.json (did you mean trainn.json?)",
        "study.yaml:9: dataset.train.images: missing: no image folder data/images (did you mean imagse?)",
    ]


def test_a_folder_of_labels_that_is_not_there_is_the_one_finding_of_a_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val"):
        for folder in ("images", "labels"):
            (tmp_path / "data" / folder / split).mkdir(parents=True)
        (tmp_path / "data" / "images" / split / f"{split}.png").write_bytes(grey_image((64, 48), "PNG"))
        (tmp_path / "data" / "labels" / split / f"{split}.txt").write_text("0 0.5 0.5 0.5 0.5")
    text = YOLO.format("images: images/train").replace("images/val}", "images/val, labels: labls}")
    assert main(["data", "check", str(write(tmp_path, text))]) == 2
    assert capsys.readouterr().err.replace(f"{tmp_path}/", "") == "data/labls: is no folder of labels, or not there\n"
