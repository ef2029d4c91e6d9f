"""Names in a study that lead to devices, pipes and the kernel: plan, check and init end in a sentence, at once."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.voc_folder import write_voc_folder
from trainers.data.datasets import build_dataset
from trainers.errors import TrialError
from trainers.schema import CocoDataset, CocoSplit, VocDataset
from trainers.schema.annotations import read_split
from trainers.schema.dataset import YoloDataset

HEAD = "name: x\nstudent: {config: 'mmdet::gfl/gfl_r50_fpn_1x_coco.py', weights: random}\nmethod: {kind: none}\nschedule: {epochs: 1}\n"
PLACES = {
    "zero": "dataset: {kind: coco, root: /dev, train: {annotations: zero, images: .}, val: {annotations: zero, images: .}, classes: [a]}\n",
    "kernel": "dataset: {kind: coco, root: /proc, train: {annotations: kmsg, images: .}, val: {annotations: kmsg, images: .}, classes: [a]}\n",
    "pipe": "dataset: {kind: coco, root: FOLDER, train: {annotations: pipe, images: .}, val: {annotations: pipe, images: .}, classes: [a]}\n",
    "list": "dataset: {kind: yolo, root: FOLDER, train: {images: pipe.txt}, val: {images: pipe.txt}, classes: [a]}\n",
    "names": "dataset: {kind: yolo, root: FOLDER, data: pipe.yaml, train: {images: .}, val: {images: .}, classes: [a]}\n",
    "set": "dataset: {kind: voc, root: FOLDER, train: [{folder: ., set: pipe}], val: [{folder: ., set: pipe}], classes: [a]}\n",
}
WEIGHTS = {
    "teacher.path": "base: stillhouse::studies/quickstart.yaml\n"
    "teacher: {{kind: checkpoint, path: {path}, detector: {{config: 'mmdet::gfl/gfl_r50_fpn_1x_coco.py', weights: random}}}}\n",
    "student.weights.path": "name: x\nstudent: {{config: 'mmdet::gfl/gfl_r50_fpn_1x_coco.py', weights: {{kind: checkpoint, path: {path}}}}}\n"
    "dataset: {{kind: shapes}}\nmethod: {{kind: none}}\nschedule: {{epochs: 12}}\n",
}


@pytest.mark.parametrize("command", ["plan", "data check"])
@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES.keys())
def test_places_that_never_end_are_refused_at_once(command: str, text: str, tmp_path: Path) -> None:
    for name in ("pipe", "pipe.txt", "pipe.yaml"):
        os.mkfifo(tmp_path / name)
    for name in ("Annotations", "JPEGImages"):
        (tmp_path / name).mkdir()
    study = tmp_path / "study.yaml"
    study.write_text(HEAD + text.replace("FOLDER", str(tmp_path)))
    found = subprocess.run(
        [sys.executable, "-m", "stillhouse", *command.split(), str(study)],
        capture_output=True, text=True, timeout=100, check=False, preexec_fn=_limited,
    )  # fmt: skip
    said = found.stdout + found.stderr
    assert found.returncode == 2, said
    assert "Traceback" not in said
    assert "Errno" not in said


@pytest.mark.parametrize("place", ["/proc/kmsg", "/dev/zero", "pipe"])
@pytest.mark.parametrize("key", ["teacher.path", "student.weights.path"])
def test_weights_that_are_no_file_are_named_with_their_line(
    key: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    study = tmp_path / "study.yaml"
    study.write_text(WEIGHTS[key].format(path=tmp_path / place))
    assert main(["plan", str(study), "--store", str(tmp_path / "store")]) == 2
    said = "".join(capsys.readouterr())
    assert any(f"{study}:2: {key}: " in line and place in line for line in said.splitlines()), said
    assert "Errno" not in said


def _limited() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


READS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "xml": (lambda root: write_voc_folder(root, count=1), "VOC2007/Annotations/000000.xml"),
    "list": (lambda root: write_voc_folder(root, count=1), "VOC2007/ImageSets/Main/trainval.txt"),
    "json": (lambda root: write_coco_folder(root, sizes=[(64, 48)]), "annotations.json"),
}


@pytest.mark.parametrize(("write", "name"), READS.values(), ids=READS.keys())
def test_a_pipe_among_annotations_is_named(
    write: Callable[[Path], CocoDataset | VocDataset], name: str, tmp_path: Path
) -> None:
    dataset = write(tmp_path)
    _pipe(tmp_path / name)
    assert name in str(read_split(dataset, "train").notes.stopping)


def test_a_pipe_among_images_is_named(tmp_path: Path) -> None:
    dataset = write_coco_folder(tmp_path, sizes=[(64, 48)])
    _pipe(tmp_path / "images" / "0.png")
    with pytest.raises(TrialError, match=r"images/0\.png is a pipe, not a file"):
        build_dataset(dataset, "train")[0]


def test_a_pipe_among_labels_is_named(tmp_path: Path) -> None:
    write_coco_folder(tmp_path, sizes=[(64, 48)])
    os.mkfifo(tmp_path / "images" / "0.txt")
    part = {"images": "images"}
    dataset = YoloDataset.model_validate(
        {"kind": "yolo", "root": str(tmp_path), "train": part, "val": part, "classes": ["cat"], "image_size": [64, 64]},
        strict=False,
    )
    assert "is a pipe, not a file" in str(read_split(dataset, "train").notes.stopping)


def test_links_lead_where_they_say(tmp_path: Path) -> None:
    """SECURITY.md says so: the owner of the data links images from other disks."""
    write_coco_folder(tmp_path / "there", sizes=[(64, 48)])
    (tmp_path / "here").mkdir()
    for name in ("images", "annotations.json"):
        (tmp_path / "here" / name).symlink_to(f"../there/{name}")
    split = CocoSplit(annotations="annotations.json", images="images")
    dataset = CocoDataset(
        kind="coco", root=str(tmp_path / "here"), train=split, val=split, classes=("cat", "dog"), image_size=(64, 64)
    )
    assert build_dataset(dataset, "train")[0]["inputs"].shape[0] == 3
