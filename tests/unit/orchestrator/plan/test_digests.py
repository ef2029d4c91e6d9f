"""A dataset's identity is what its annotations say, wherever they lie."""

import shutil
from pathlib import Path

import pytest

from orchestrator.plan.digests import MISSING, dataset_digest
from tests.unit.trainers.voc_folder import SOME, write_part, write_voc_folder, xml
from trainers.schema import ShapesDataset, VocDataset, VocPart


def at(dataset: VocDataset, root: Path) -> VocDataset:
    return dataset.model_copy(update={"root": str(root)})


def test_a_voc_folder_may_move(tmp_path: Path) -> None:
    dataset = write_voc_folder(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert dataset_digest(dataset) == dataset_digest(at(dataset, tmp_path / "there")) != MISSING


@pytest.mark.parametrize("what", ["Annotations/000002.xml", "ImageSets/Main/trainval.txt"])
def test_any_annotation_file_and_list_counts(what: str, tmp_path: Path) -> None:
    dataset = write_voc_folder(tmp_path)
    before = dataset_digest(dataset)
    file = tmp_path / "VOC2007" / what
    file.write_text(xml(SOME[:1]) if file.suffix == ".xml" else "000001\n000000\n000002\n000003\n")
    changed = dataset_digest(dataset)
    assert changed not in (before, MISSING)
    file.unlink()
    assert dataset_digest(dataset) == MISSING


def test_files_that_no_list_names_do_not_count(tmp_path: Path) -> None:
    dataset = write_voc_folder(tmp_path)
    before = dataset_digest(dataset)
    (tmp_path / "VOC2007" / "Annotations" / "other.xml").write_text("")
    assert dataset_digest(dataset) == before


def test_without_a_list_all_xml_files_and_their_names_count(tmp_path: Path) -> None:
    dataset = write_voc_folder(tmp_path)
    part = VocPart(folder="VOC2007")
    dataset = dataset.model_copy(update={"train": (part,), "val": (part,)})
    folder = tmp_path / "VOC2007" / "Annotations"
    digests = [dataset_digest(dataset)]
    (folder / "other.xml").write_text(xml(SOME))
    digests.append(dataset_digest(dataset))
    (folder / "other.xml").rename(folder / "another.xml")
    digests.append(dataset_digest(dataset))
    (folder / "another.xml").write_text(xml(SOME[:1]))
    digests.append(dataset_digest(dataset))
    assert MISSING not in digests
    assert len(set(digests)) == 4


def test_a_list_with_suffixes_covers_the_files_that_it_means(tmp_path: Path) -> None:
    dataset = write_voc_folder(tmp_path)
    listed = tmp_path / "VOC2007" / "ImageSets" / "Main" / "trainval.txt"
    listed.write_text("".join(f"{name}.jpg\n" for name in listed.read_text().split()))
    before = dataset_digest(dataset)
    (tmp_path / "VOC2007" / "Annotations" / "000001.xml").write_text(xml(SOME[:1]))
    assert dataset_digest(dataset) not in (before, MISSING)


def test_parts_and_splits_are_told_apart(tmp_path: Path) -> None:
    parts = tuple(VocPart(folder=name, set="all") for name in ("a", "b"))
    for part in parts:
        write_part(tmp_path, part, {f"{part.folder}{number}": xml(SOME) for number in range(2)})
    both = [VocDataset(kind="voc", root=str(tmp_path), train=parts[:1], val=parts[1:])]
    both.append(VocDataset(kind="voc", root=str(tmp_path), train=parts[1:], val=parts[:1]))
    both.append(VocDataset(kind="voc", root=str(tmp_path), train=parts, val=parts[1:]))
    assert len({dataset_digest(dataset) for dataset in both}) == 3


def test_settings_added_later_change_no_identity_until_they_are_used() -> None:
    plain = ShapesDataset(kind="shapes")
    assert "repeat" not in plain.identity()
    assert dataset_digest(plain) != dataset_digest(ShapesDataset(kind="shapes", repeat=2))
    assert dataset_digest(plain) == dataset_digest(ShapesDataset(kind="shapes", evaluator="pycocotools"))
