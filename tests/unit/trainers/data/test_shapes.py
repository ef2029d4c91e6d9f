"""Drawn images have the pixels that they had in every release, and their shapes overlap little."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.data.loaders import _read
from trainers.data.shapes import NOISE, _overlap, draw, scene
from trainers.errors import TrialError

SIDE = st.integers(1, 12)
BOX = st.tuples(st.integers(0, 12), st.integers(0, 12), SIDE, SIDE).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
SHAPES = [
    (0, (24, 8, 32, 16), (104, 213, 247)),
    (0, (12, 5, 24, 17), (66, 97, 227)),
    (2, (23, 17, 36, 30), (22, 238, 229)),
]
CORNERS = [[80, 81, 174], [74, 78, 150], [81, 86, 171]]
NAMES = ("circle", "square", "triangle")


@given(BOX, BOX)
def test_the_overlap_is_the_share_of_common_pixels_of_the_smaller_box(one, other):
    pixels = [{(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])} for box in (one, other)]
    expected = len(pixels[0] & pixels[1]) / min(map(len, pixels))
    assert _overlap(one, other) == _overlap(other, one) == pytest.approx(expected)


def test_shapes_of_a_scene_lie_inside_and_overlap_little():
    for seed in range(60):
        shapes = scene(np.random.default_rng(seed), (96, 64), 3, 6)
        assert 1 <= len(shapes) <= 6
        for place, shape in enumerate(shapes):
            x1, y1, x2, y2 = shape.box
            assert 0 <= x1 < x2 <= 96
            assert 0 <= y1 < y2 <= 64
            assert all(_overlap(shape.box, other.box) < 0.2 for other in shapes[:place])
    assert {shape.label for seed in range(20) for shape in scene(np.random.default_rng(seed), (96, 64), 3, 6)} == {
        0,
        1,
        2,
    }


def test_the_pixels_of_an_image_are_the_same_in_every_release():
    shapes = scene(np.random.default_rng((0, 0, 3, 0)), (40, 32), 3, 4)
    image = draw(np.random.default_rng((0, 0, 3, 1)), shapes, (40, 32), NAMES)
    assert image.shape == (32, 40, 3)
    assert [(shape.label, shape.box, shape.colour) for shape in shapes] == SHAPES
    assert image[[0, 0, 31], [0, 39, 20]].tolist() == CORNERS


def test_noise_is_as_strong_as_it_says_and_lies_around_the_plain_image():
    image = draw(np.random.default_rng(1), [], (200, 200), NAMES).astype(float)
    assert image.std(axis=(0, 1)) == pytest.approx([NOISE] * 3, rel=0.03)


class Unreadable:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getitem__(self, index: int) -> None:
        raise self.error

    def get_data_info(self, index: int) -> dict[str, str]:
        return {"img_path": f"/images/{index}.png"}


@pytest.mark.parametrize("error", [OSError("no such file"), AssertionError("no such file")])
def test_an_image_that_cannot_be_read_is_named_by_its_place(error):
    with pytest.raises(TrialError, match="cannot read image 7 of the dataset: no such file"):
        _read(Unreadable(error), 7)


def test_an_image_that_opencv_refuses_is_named_by_its_file():
    with pytest.raises(TrialError, match=r"cannot read image 7 of the dataset: /images/7.png: it is damaged"):
        _read(Unreadable(cv2.error("broken")), 7)
