"""Prove that a split of several COCO files is one split, whatever ids the files use."""

import json
from pathlib import Path

from trainers.schema.annotations import kinds, read_split
from trainers.schema.annotations.usage import usage, used_images
from trainers.schema.dataset import CocoDataset, CocoSplit


def write(root: Path, name: str, category: str, *, boxed: int = 2) -> CocoSplit:
    (root / name).mkdir(parents=True)
    for number in (1, 2):
        (root / name / f"{number}.png").write_bytes(b"")
    content = {
        "images": [{"id": number, "file_name": f"{number}.png", "width": 64, "height": 64} for number in (1, 2)],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 7, "bbox": [1, 2, 30, 40]}
            for number in range(1, boxed + 1)
        ],
        "categories": [{"id": 7, "name": category}],
    }
    (root / f"{name}.json").write_text(json.dumps(content))
    return CocoSplit(annotations=f"{name}.json", images=name)


def test_equal_ids_of_two_files_are_different_images_and_classes(tmp_path: Path) -> None:
    parts = (write(tmp_path, "one", "cat"), write(tmp_path, "two", "dog"))
    dataset = CocoDataset(kind="coco", root=str(tmp_path), train=parts, val=parts[0], classes=("dog", "cat"))
    found = read_split(dataset, "train")
    assert [image.id for image in found.images] == ["one.json:1", "one.json:2", "two.json:1", "two.json:2"]
    assert [box.label for image in found.images for box in image.boxes] == [1, 1, 0, 0]
    assert kinds.ABSENT_CLASSES not in found.notes.told


def test_a_class_that_no_file_declares_is_told_once(tmp_path: Path) -> None:
    parts = (write(tmp_path, "one", "cat"), write(tmp_path, "two", "dog"))
    dataset = CocoDataset(kind="coco", root=str(tmp_path), train=parts, classes=("dog", "cow"))
    (note,) = read_split(dataset, "train").notes.told[kinds.ABSENT_CLASSES]
    assert "'cow' is in none of 2 files" in note.message


def test_images_without_boxes_are_trained_on_only_when_that_is_asked_for(tmp_path: Path) -> None:
    part = write(tmp_path, "one", "cat", boxed=1)
    for keep_empty, images in ((False, 1), (True, 2)):
        dataset = CocoDataset(kind="coco", root=str(tmp_path), train=part, classes=("cat",), keep_empty=keep_empty)
        split = read_split(dataset, "train")
        assert len(used_images(split, dataset)) == images
        assert usage(split, dataset).images_used == images


def test_divided_data_are_read_from_one_file(tmp_path: Path) -> None:
    part = write(tmp_path, "one", "cat")
    dataset = CocoDataset.model_validate(
        {"kind": "coco", "root": str(tmp_path), "train": part, "classes": ("cat",), "split": {"val": 0.5}}
    )
    train, val = read_split(dataset, "train"), read_split(dataset, "val")
    assert {image.id for image in train.images} | {image.id for image in val.images} == {1, 2}
    assert len(train.images) == len(val.images) == 1
