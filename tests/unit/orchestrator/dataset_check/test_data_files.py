"""`check` names the data that is not on this machine, by looking for files and folders alone."""

import os
import shutil
from pathlib import Path

from orchestrator.dataset_check.data_files import missing_files
from orchestrator.study.load import load_study
from tests.unit.orchestrator.coco_data import section, write_coco, write_voc_splits
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
        "study.yaml:7: dataset.train: missing: no image folder data/images",
        "study.yaml:10: dataset.val: missing: no annotation file data/val.json",
        "study.yaml:10: dataset.val: missing: no image folder data/images",
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
