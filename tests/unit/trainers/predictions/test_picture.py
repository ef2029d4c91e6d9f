"""A kept picture says its file's name, both its sizes and its objects, and is not larger than it may be."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from trainers.errors import TrialError
from trainers.predictions.picture import keep_picture, picture_file
from trainers.schema.predictions import IMAGES, Limits, TruthBox


def dataset_of(height: int, width: int, **info: Any) -> Any:
    """Return a dataset of one image, grey but for its left half."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[:, : width // 2] = 10
    described = {"img_id": 7, "instances": [], **info}
    read = SimpleNamespace(transform=lambda asked: {"img": pixels, **asked})
    return SimpleNamespace(get_data_info=lambda place: described, pipeline=SimpleNamespace(transforms=[read]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / IMAGES).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("info", "name"),
    [({"img_path": "/data/a b/c.png"}, "c.png"), ({"img_path": "d.jpg"}, "d.jpg"), ({"img_path": None}, ""), ({}, "")],
)
def test_the_file_is_named_without_its_folder(info: dict[str, Any], name: str, folder: Path) -> None:
    assert keep_picture(dataset_of(8, 8, **info), 0, Limits(), folder).file == name


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [(64, 128, (128, 64)), (64, 129, (128, 64)), (256, 64, (32, 128)), (1, 512, (128, 1)), (512, 1, (1, 128))],
)
def test_a_larger_image_is_made_smaller_and_says_its_own_size(
    height: int, width: int, shown: tuple[int, int], folder: Path
) -> None:
    found = keep_picture(dataset_of(height, width), 0, Limits(longest_side=128), folder)
    assert (found.width, found.height) == (width, height)
    assert (found.shown_width, found.shown_height) == shown
    kept = cv2.imread(str(picture_file(folder, found.key)))
    assert kept.shape == (shown[1], shown[0], 3)
    if width > 1:
        assert kept[:, 0].mean() < 60 < kept[:, -1].mean()


@pytest.mark.parametrize(("image_id", "id_"), [(7, ""), ("a/b", "a/b")])
def test_an_id_is_told_where_it_is_not_the_key(image_id: Any, id_: str, folder: Path) -> None:
    found = keep_picture(dataset_of(8, 8, img_id=image_id), 0, Limits(), folder)
    assert found.id == id_
    assert picture_file(folder, found.key).is_file()


def test_objects_keep_their_order_sides_and_marks(folder: Path) -> None:
    instances = [
        {"bbox": [1.234, 2, 3.456, 4], "bbox_label": 2, "ignore_flag": 0},
        {"bbox": np.array([0.0, 0.005, 8.0, 8.0]), "bbox_label": np.int64(0), "ignore_flag": 1},
    ]
    found = keep_picture(dataset_of(8, 8, instances=instances), 0, Limits(), folder)
    first, second = found.truth
    assert first == TruthBox(box=(1.23, 2.0, 3.46, 4.0), label=2, ignore=False)
    assert (second.label, second.ignore) == (0, True)


def test_an_image_that_cannot_be_read_is_named(folder: Path) -> None:
    def fail(_: object) -> Any:
        raise OSError("gone")

    broken = dataset_of(8, 8, img_path="a.png")
    broken.pipeline.transforms[0].transform = fail
    with pytest.raises(TrialError, match=r"cannot read image a\.png: gone"):
        keep_picture(broken, 0, Limits(), folder)
