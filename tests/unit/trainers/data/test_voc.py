"""Prove that VOC folders are read as mmdet reads them, and BCCD's XML as its JSON."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import VOCDataset, XMLDataset
from mmdet.registry import DATASETS

from tests.unit.trainers.voc_folder import CLASSES, SOME, write_part, write_voc_folder, xml
from trainers.data.datasets import build_dataset
from trainers.errors import TrialError
from trainers.schema import CocoDataset, CocoSplit, VocDataset, VocPart, class_names

BCCD = Path(os.environ.get("STILLHOUSE_DATA", "nowhere")) / "bccd"
CELLS = ("RBC", "WBC", "Platelets")
needs_bccd = pytest.mark.skipif(not BCCD.is_dir(), reason="BCCD is not under $STILLHOUSE_DATA")


def records(data: Any) -> list[dict[str, Any]]:
    return [data.get_data_info(index) for index in range(len(data))]


def instances(data: Any) -> list[list[dict[str, Any]]]:
    return [record["instances"] for record in records(data)]


def bccd_voc(split: str, first_pixel: int = 0) -> VocDataset:
    parts = (VocPart(folder=".", set=split),)
    return VocDataset(
        kind="voc",
        root=str(BCCD),
        train=parts,
        val=parts,
        classes=CELLS,
        first_pixel=first_pixel,
        image_size=(320, 240),
    )


def bccd_coco(split: str) -> CocoDataset:
    files = CocoSplit(annotations=f"annotations/instances_{split}.json", images="JPEGImages")
    return CocoDataset(kind="coco", root=str(BCCD), train=files, val=files, classes=CELLS, image_size=(320, 240))


def seen(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return what matters of a record: file, size, and label, box and difficulty of each object."""
    objects = [(i["bbox_label"], *map(float, i["bbox"]), i["ignore_flag"]) for i in record["instances"]]
    return Path(record["img_path"]).name, record["width"], record["height"], objects


def test_xml_files_beside_the_images_need_no_list(tmp_path: Path) -> None:
    usual = write_voc_folder(tmp_path / "usual")
    beside = tmp_path / "beside" / "train"
    beside.mkdir(parents=True)
    for file in (*(tmp_path / "usual").rglob("*.xml"), *(tmp_path / "usual").rglob("*.jpg")):
        file.rename(beside / file.name.upper())
    part = VocPart(folder=".", annotations="train", images="train")
    spec = usual.model_copy(update={"root": str(tmp_path / "beside"), "train": (part,), "val": (part,)})
    for split in ("train", "val"):
        data = build_dataset(spec, split)
        assert [Path(record["img_path"]).name for record in records(data)] == [f"{n:06}.JPG" for n in range(4)]
        assert data[0]["inputs"].shape[0] == 3


@needs_bccd
@pytest.mark.parametrize(("split", "images", "boxes"), [("train", 205, 2793 + 11), ("val", 87, 1124 + 13)])
@pytest.mark.parametrize("use", ["train", "val"])
def test_bccds_xml_and_json_give_the_same_images_and_boxes(split: str, images: int, boxes: int, use: str) -> None:
    voc, coco = (build_dataset(spec, use) for spec in (bccd_voc(split), bccd_coco(split)))
    assert [seen(record) for record in records(voc)] == [seen(record) for record in records(coco)]
    assert len(voc) == images
    assert sum(map(len, instances(voc))) == boxes
    first, second = (data[3]["inputs"] for data in (voc, coco))
    if use == "val":  # training flips at random
        torch.testing.assert_close(first, second, rtol=0, atol=0)


@needs_bccd
def test_with_pascals_pixel_count_bccd_reads_as_in_mmdet() -> None:
    theirs = XMLDataset(
        data_root=str(BCCD),
        ann_file="ImageSets/Main/test.txt",
        data_prefix={"sub_data_root": ""},
        metainfo={"classes": CELLS},
        test_mode=True,
        pipeline=[],
    )
    ours = build_dataset(bccd_voc("test", first_pixel=1), "val")
    assert [seen(record) for record in records(ours)] == [seen(record) for record in records(theirs)]


def test_parts_follow_each_other_as_in_mmdets_concatenation(tmp_path: Path) -> None:
    parts = (VocPart(folder="VOC2007", set="trainval"), VocPart(folder="VOC2012", set="trainval"))
    write_part(tmp_path, parts[0], {name: xml(SOME) for name in ("a", "b")})
    write_part(tmp_path, parts[1], {"c": xml([("dog", (1.9, 2.0, 20.2, 30.0), 0), ("bird", (1, 1, 9, 9), 0)])})
    spec = VocDataset(kind="voc", root=str(tmp_path), classes=CLASSES, train=parts, val=parts)
    theirs = DATASETS.build(
        {
            "type": "mmdet.ConcatDataset",
            "ignore_keys": ["dataset_type"],
            "datasets": [
                {
                    "type": "mmdet.VOCDataset",
                    "data_root": str(tmp_path),
                    "ann_file": f"{part.folder}/ImageSets/Main/trainval.txt",
                    "data_prefix": {"sub_data_root": part.folder},
                    "metainfo": {"classes": CLASSES},
                    "pipeline": [],
                }
                for part in parts
            ],
        }
    )
    ours = build_dataset(spec, "train")
    assert [seen(record) for record in records(ours)] == [seen(record) for record in records(theirs)]
    assert seen(records(ours)[2]) == ("c.jpg", 64, 48, [(1, 0.0, 1.0, 19.0, 29.0, 0)])
    assert [record["img_id"] for record in records(ours)] == [1, 2, 3]


def test_voc20_are_mmdets_classes() -> None:
    assert class_names(VocDataset(kind="voc", root="x")) == VOCDataset.METAINFO["classes"]


@pytest.mark.parametrize(("first_pixel", "box"), [(0, [5, 7, 32, 24]), (1, [4, 6, 31, 23])])
def test_first_pixel_says_where_coordinates_begin(first_pixel: int, box: list[int], tmp_path: Path) -> None:
    data = build_dataset(write_voc_folder(tmp_path, first_pixel=first_pixel), "val")
    assert instances(data)[0][0]["bbox"] == box


def test_difficult_objects_are_not_trained_on(tmp_path: Path) -> None:
    sample = build_dataset(write_voc_folder(tmp_path, flip=0.0), "train")[0]["data_samples"]
    assert sample.gt_instances.labels.tolist() == [0]
    assert sample.ignored_instances.labels.tolist() == [1]


@pytest.mark.parametrize(
    ("difficult", "learned"), [("0.0", 2), (" 0 ", 2), ("False", 2), ("1.0", 1), ("\n1\n", 1), ("true", 1)]
)
@pytest.mark.parametrize("split", ["train", "val"])
def test_difficult_is_understood_as_tools_write_it(split: Any, difficult: Any, learned: int, tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    write_part(tmp_path, spec.train[0], {"a": xml([("cat", (5, 7, 32, 24), 0), ("dog", (5, 7, 32, 24), difficult)])})
    flags = [item["ignore_flag"] for item in instances(build_dataset(spec, split))[0]]
    assert flags.count(0) == learned


def test_training_leaves_out_images_without_objects_and_small_ones(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    texts = {"a": xml(SOME), "b": xml([]), "c": xml([("bird", (1, 1, 9, 9), 0)]), "d": xml(SOME, size=(64, 31))}
    write_part(tmp_path, spec.train[0], texts)
    assert [seen(record)[0] for record in records(build_dataset(spec, "train"))] == ["a.jpg"]
    assert len(build_dataset(spec, "val")) == 4


@pytest.mark.parametrize("corners", [(9, 9, 9, 20), (20, 9, 10, 20), (70, 9, 90, 20), (9, 60, 20, 90), (-9, 5, 0, 9)])
def test_boxes_without_area_in_the_image_are_left_out(corners: Any, tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path, first_pixel=0)
    write_part(tmp_path, spec.train[0], {"a": xml([("cat", corners, 0), ("dog", (60, 40, 70, 50), 0)])})
    assert [item["bbox"] for item in instances(build_dataset(spec, "train"))[0]] == [[60, 40, 70, 50]]


def test_the_file_name_gives_the_suffix(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    write_part(tmp_path, spec.val[0], {"a": xml(SOME, file_name="other.PNG")}, suffix=".PNG")
    data = build_dataset(spec, "val")
    written = cv2.imread(str(tmp_path / "VOC2007" / "JPEGImages" / "a.PNG"))
    assert np.array_equal(data[0]["inputs"].permute(1, 2, 0).numpy(), written)


@pytest.mark.parametrize("size", [None, (0, 0)])
def test_a_size_that_the_annotation_lacks_is_the_images(size: Any, tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    write_part(tmp_path, spec.val[0], {"a": xml(SOME, size=size)})
    assert seen(records(build_dataset(spec, "val"))[0])[1:3] == (64, 48)


BOMB = '<!DOCTYPE a [<!ENTITY x "xx">]><annotation>&x;</annotation>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not XML: no element found"),
        ("<annotation>", "is not XML: no element found"),
        (BOMB, "declares a document type"),
        ("<html/>", "begins with <html> instead of <annotation>"),
        (xml([("cat", ("nan", 1, 2, 3), 0)]), r"object 1: has the corners \(nan, 1, 2, 3\)"),
        (xml([("cat", ("one", 1, 2, 3), 0)]), "object 1: xmin is no number: 'one'"),
        (xml([("cat", ("1e999", 1, 2, 3), 0)]), r"object 1: has the corners \(inf, 1, 2, 3\)"),
        (xml([("", (1, 1, 2, 3), 0)]), "object 1 has no name"),
        ("<annotation><object><name>cat</name></object></annotation>", "object 1 has no bndbox"),
        (xml([], size=("many", 1)), "size: width is no number: 'many'"),
    ],
)
def test_damaged_annotations_end_in_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    path = tmp_path / "VOC2007" / "Annotations" / "000002.xml"
    path.write_text(text)
    with pytest.raises(TrialError, match=message) as caught:
        build_dataset(spec, "train")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_document_type_is_refused_in_any_encoding(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    path = tmp_path / "VOC2007" / "Annotations" / "000002.xml"
    path.write_bytes(f'<?xml version="1.0" encoding="utf-16"?>{BOMB}'.encode("utf-16"))
    with pytest.raises(TrialError, match="declares a document type"):
        build_dataset(spec, "train")


def test_missing_lists_and_files_are_named(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    (tmp_path / "VOC2007" / "Annotations" / "000001.xml").unlink()
    with pytest.raises(TrialError, match=r"000001\.xml"):
        build_dataset(spec, "train")
    (tmp_path / "VOC2007" / "ImageSets" / "Main" / "trainval.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(TrialError, match=r"trainval\.txt: cannot be read as a list of images"):
        build_dataset(spec, "val")
    (tmp_path / "VOC2007" / "ImageSets" / "Main" / "trainval.txt").write_text("\n")
    with pytest.raises(TrialError, match=r"trainval\.txt: names no image"):
        build_dataset(spec, "train")
