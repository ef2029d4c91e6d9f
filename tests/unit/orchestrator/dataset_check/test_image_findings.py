"""Files that training could not read are found by their ends, wherever in a split they stand."""

from pathlib import Path

import pytest

from orchestrator.dataset_check import image_findings as module
from orchestrator.dataset_check.image_findings import image_findings
from tests.unit.orchestrator.coco_data import write_coco
from trainers.schema import CocoDataset
from trainers.schema.dataset import CocoSplit

COUNT = 12


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Write a split of a dozen images; return their folder. Headers are read of the first three only."""
    write_coco(tmp_path, [(1, 2)] * COUNT)
    return tmp_path / "images"


def said(images: Path) -> list[str]:
    part = CocoSplit(annotations="train.json", images="images")
    dataset = CocoDataset(kind="coco", root=str(images.parent), classes=("cat", "dog"), train=part, val=part)
    return [str(finding) for finding in image_findings(dataset, "train", "dataset.train")]


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_nothing_is_said_of_whole_files(images: Path) -> None:
    assert said(images) == []


@pytest.mark.parametrize("number", [1, 2, COUNT])
def test_a_file_that_was_cut_is_an_error_wherever_it_stands(
    number: int, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.dataset_check.readings.LOOKED_AT", 1)
    shorten(images / f"{number}.jpg")
    [finding] = said(images)
    assert finding.startswith(f"dataset.train: 1 of 12 images cannot be used: {images / f'{number}.jpg'} is damaged")


def test_of_many_cut_files_some_are_named_and_those_that_were_read_counted(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (4, 5, 7, 9, 11):
        (images / f"{number}.jpg").write_bytes(b"")
    named = ", ".join(f"{images / f'{number}.jpg'} is empty" for number in (4, 5, 7))
    assert said(images) == [f"dataset.train: 5 of 12 images cannot be used: {named} (and 2 more)"]
    monkeypatch.setattr(module, "CLOSER_S", -1.0)
    assert said(images) == [f"dataset.train: at least 3 of 12 images cannot be used: {named}"]


def test_a_file_without_an_end_that_can_be_read_is_a_warning(images: Path) -> None:
    path = images / "8.jpg"
    path.write_bytes(path.read_bytes().removesuffix(b"\xff\xd9") + bytes(9000))
    assert said(images) == [f"dataset.train: warning: 1 of 12 images can be read but have no end: {path}"]


def test_files_that_are_not_there_are_told_elsewhere(images: Path) -> None:
    (images / "8.jpg").unlink()
    assert said(images) == []
