"""A split of any format is written in COCO's form with the numbers that evaluation uses."""

import json
from pathlib import Path

import pytest

from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.voc_folder import write_voc_folder, xml
from trainers.schema import CocoSplit
from trainers.schema.annotations.as_coco import UnreadableSplit, read_as_coco
from trainers.schema.division import Division


def test_voc_files_count_from_1_with_names_below_the_root(tmp_path: Path) -> None:
    """The first two images' difficult dogs are crowds; the third file gives no size, which its image does."""
    dataset = write_voc_folder(tmp_path, 3)
    (tmp_path / "VOC2007" / "Annotations" / "000001.xml").write_text(xml([("dog", (5, 7, 32, 24), 0)], size=None))
    found = read_as_coco(dataset, "val")
    assert found["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert found["images"][1] == {"id": 2, "file_name": "VOC2007/JPEGImages/000001.jpg", "width": 64, "height": 48}
    assert found["annotations"][:3] == [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 6, 27, 17], "area": 459, "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [10, 12, 29, 17], "area": 493, "iscrowd": 1},
        {"id": 3, "image_id": 2, "category_id": 2, "bbox": [4, 6, 27, 17], "area": 459, "iscrowd": 0},
    ]


def test_text_ids_and_another_order_of_classes_become_numbers(tmp_path: Path) -> None:
    dataset = write_coco_folder(tmp_path, [(40, 40), (50, 50)])
    path = tmp_path / "annotations.json"
    content = json.loads(path.read_text())
    for image in content["images"]:
        image["id"] = f"frame {image['id']}"
    for box in content["annotations"]:
        box["image_id"] = f"frame {box['image_id']}"
    path.write_text(json.dumps(content))
    found = read_as_coco(dataset.model_copy(update={"classes": ("dog", "cat")}), "val")
    assert [image["id"] for image in found["images"]] == [1, 2]
    assert [(box["image_id"], box["category_id"]) for box in found["annotations"]] == [(1, 2), (2, 1)]


def test_joined_files_and_divided_ones_hold_the_split_alone(tmp_path: Path) -> None:
    dataset = write_coco_folder(tmp_path, [(40, 40)] * 10)
    part = CocoSplit(annotations="annotations.json", images="images")
    joined = dataset.model_copy(update={"val": (part, part)})
    assert len(read_as_coco(joined, "val")["images"]) == 20
    divided = dataset.model_copy(update={"split": Division(val=0.3)})
    assert len(read_as_coco(divided, "val")["images"]) == 3


def test_annotations_that_are_away_are_one_sentence(tmp_path: Path) -> None:
    dataset = write_coco_folder(tmp_path, [(40, 40)])
    (tmp_path / "annotations.json").unlink()
    with pytest.raises(UnreadableSplit, match=r"annotations\.json: cannot be read"):
        read_as_coco(dataset, "val")
