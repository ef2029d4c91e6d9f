"""Prove that YOLO's text files are read as their users draw them, and that the rest is told."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trainers.schema.annotations import AnnotatedSplit, kinds, read_split
from trainers.schema.dataset import YoloDataset, YoloPart
from trainers.schema.yolo_layout import YoloFiles

WIDE, HIGH = 80, 40


def write_image(path: Path, size: tuple[int, int] = (WIDE, HIGH)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), 99, np.uint8))


def write_labels(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def read(root: Path, split: str = "train", **settings: object) -> AnnotatedSplit:
    content = {"kind": "yolo", "root": str(root), "classes": ("cat", "dog"), "train": YoloPart(images="images/train")}
    return read_split(YoloDataset.model_validate({**content, **settings}), split)  # type: ignore[arg-type]


def test_a_line_is_a_box_in_shares_of_the_image(tmp_path: Path) -> None:
    write_image(tmp_path / "images/train/a.png")
    write_labels(tmp_path / "labels/train/a.txt", "1 0.5 0.5 0.25 0.5\n")
    (image,) = read(tmp_path).images
    (box,) = image.boxes
    assert (image.size, image.id, box.label, box.corners, box.area) == ((80, 40), 1, 1, (30, 10, 50, 30), 400)
    assert box.trained
    assert box.evaluated
    assert not box.ignored


def test_a_polygon_counts_as_the_box_around_it(tmp_path: Path) -> None:
    write_image(tmp_path / "images/train/a.png")
    write_labels(tmp_path / "labels/train/a.txt", "0 0.1 0.2 0.5 0.1 0.3 0.9\n")
    (box,) = read(tmp_path).images[0].boxes
    assert box.corners == pytest.approx((8, 4, 40, 36))


def test_an_image_without_labels_has_no_boxes(tmp_path: Path) -> None:
    write_image(tmp_path / "images/train/a.png")
    write_image(tmp_path / "images/train/b.png")
    write_labels(tmp_path / "labels/train/b.txt", "\n")
    found = read(tmp_path)
    assert [image.boxes for image in found.images] == [[], []]
    assert not found.notes.told


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ("images/train/labels/a.txt", {"images": "images/train", "labels": "images/train/labels"}),
        ("a.txt", {"images": "."}),
        ("train/labels/a.txt", {"images": "train/images"}),
    ],
)
def test_labels_lie_in_a_folder_beside_the_images_or_with_them(
    tmp_path: Path, labels: str, part: dict[str, str]
) -> None:
    write_image(tmp_path / part["images"] / "a.jpg")
    write_labels(tmp_path / labels, "0 0.5 0.5 1 1\n")
    (box,) = read(tmp_path, train=part).images[0].boxes
    assert box.corners == (0, 0, WIDE, HIGH)


def test_a_list_names_images_below_the_root_or_below_its_own_folder(tmp_path: Path) -> None:
    write_image(tmp_path / "images/a.png")
    write_image(tmp_path / "set/images/b.png")
    write_labels(tmp_path / "labels/a.txt", "0 0.5 0.5 1 1")
    write_labels(tmp_path / "set/labels/b.txt", "1 0.5 0.5 1 1")
    write_labels(tmp_path / "set/train.txt", "./images/b.png\nimages\\a.png\n\n")
    found = read(tmp_path, train={"images": "set/train.txt"})
    assert [(image.path, image.boxes[0].label) for image in found.images] == [
        (f"{tmp_path}/set/images/b.png", 1),
        (f"{tmp_path}/images/a.png", 0),
    ]


@pytest.mark.parametrize("names", ["[dog, bird, cat]", "{0: dog, 1: bird, 2: cat}"])
def test_names_of_the_data_file_say_which_class_a_number_means(tmp_path: Path, names: str) -> None:
    write_image(tmp_path / "images/train/a.png")
    write_labels(tmp_path / "labels/train/a.txt", "0 0.5 0.5 1 1\n2 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text(f"nc: 3\nnames: {names}\n")
    found = read(tmp_path, data="data.yaml")
    assert [box.label for box in found.images[0].boxes] == [1, 0]
    assert found.others == {"bird": 1}


@pytest.mark.parametrize(
    ("line", "kind", "told"),
    [
        ("0 40 20 10 10", kinds.NO_SHARES, "a box is given in shares of the image"),
        ("0 0.5 0.5 0.5", kinds.NO_BOX, "has 4 numbers, not a class and a box (5)"),
        ("cat 0.5 0.5 0.5 0.5", kinds.NO_NUMBERS, "holds 'cat 0.5 0.5 0.5 0.5', not numbers"),
        ("7 0.5 0.5 0.5 0.5", kinds.UNKNOWN_CATEGORIES, "has the class 7, and there are names for 0 to 1"),
        ("0.5 0.5 0.5 0.5 0.5", kinds.UNKNOWN_CATEGORIES, "has the class 0.5"),
        ("0 nan 0.5 0.5 0.5", kinds.NO_SHARES, "nan"),
        ("0 0.5 0.5 0 0.5", None, ""),
    ],
)
def test_a_line_that_is_no_box_is_told_at_its_place(
    tmp_path: Path, line: str, kind: kinds.OddityKind | None, told: str
) -> None:
    write_image(tmp_path / "images/train/a.png")
    write_labels(tmp_path / "labels/train/a.txt", f"0 0.5 0.5 1 1\n{line}\n")
    found = read(tmp_path)
    assert list(found.notes.told) == ([kind] if kind is not None else [])
    if kind is not None:
        (note,) = found.notes.told[kind]
        assert note.where == f"{tmp_path}/labels/train/a.txt: line 2"
        assert told in note.message


def test_a_box_without_area_is_not_trained_on(tmp_path: Path) -> None:
    write_image(tmp_path / "images/train/a.png")
    write_labels(tmp_path / "labels/train/a.txt", "0 0.5 0.5 0 0.5\n")
    (box,) = read(tmp_path).images[0].boxes
    assert box.left_out is kinds.NO_AREA


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("names: [cat, dog", "is no YAML"),
        ("nc: 2", "has no names"),
        ("names: {a: cat}", "numbers that are none"),
        ("- 1", "no mapping"),
    ],
)
def test_a_damaged_data_file_is_told(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "data.yaml").write_text(content)
    (note,) = read(tmp_path, data="data.yaml").notes.told[kinds.UNREADABLE]
    assert note.where == str(tmp_path / "data.yaml")
    assert told in note.message


def test_missing_and_damaged_images_are_told(tmp_path: Path) -> None:
    write_image(tmp_path / "images/train/a.png")
    (tmp_path / "images/train/b.png").write_text("no image")
    (tmp_path / "train.txt").write_text("images/train/a.png\nimages/train/b.png\nimages/train/c.png\n")
    told = read(tmp_path, train={"images": "train.txt"}).notes.told
    assert [note.where for note in told[kinds.IMAGES_WITHOUT_SIZE]] == [f"{tmp_path}/images/train/b.png"]
    assert "c.png does not exist" in told[kinds.MISSING_IMAGES][0].message


@pytest.mark.parametrize("target", ["self", "x" * 300, "gone"])
def test_a_link_that_leads_nowhere_is_told_and_hides_no_other_file(tmp_path: Path, target: str) -> None:
    for name in ("a", "sub/b", "sub/c"):
        write_image(tmp_path / f"images/train/{name}.png")
    (tmp_path / "images/train/sub/self").symlink_to(target)
    found = read(tmp_path)
    assert [image.path for image in found.images] == [
        f"{tmp_path}/images/train/{name}.png" for name in ("a", "sub/b", "sub/c")
    ]
    (note,) = found.notes.told[kinds.UNREADABLE]
    assert str(note) == f"{tmp_path}/images/train/sub/self: is a link that leads nowhere: mend or remove it"


def test_a_list_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("../secret.png\n")
    (note,) = read(tmp_path, train={"images": "train.txt"}).notes.told[kinds.UNREADABLE]
    assert "must stay below root" in note.message


def test_label_files_are_those_that_exist_in_the_order_of_their_images(tmp_path: Path) -> None:
    for name in ("c", "a", "b"):
        write_image(tmp_path / f"images/train/{name}.png")
    for name in ("c", "a"):
        write_labels(tmp_path / f"labels/train/{name}.txt", "")
    files = YoloFiles(tmp_path, YoloPart(images="images/train"))
    assert files.labels == tuple(f"{tmp_path}/labels/train/{name}.txt" for name in "ac")
    assert files.label_file("images/train/b.png") is None
