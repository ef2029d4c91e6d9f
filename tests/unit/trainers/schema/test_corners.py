"""Boxes that were written as corners are recognised, and boxes that merely touch an edge are not taken for such."""

import random

import pytest

from trainers.schema.annotations.corners import MOST, guess_of_corners
from trainers.schema.annotations.records import AnnotatedSplit, Box, Image

WIDTH, HEIGHT = 640, 480
Four = tuple[float, float, float, float]


def split_of(boxes: list[list[Four]], *, size: tuple[int | None, int | None] = (WIDTH, HEIGHT)) -> AnnotatedSplit:
    """Return a split with an image for each list of boxes."""
    images = [Image(number, "", *size, "", "") for number in range(len(boxes))]
    for image, found in zip(images, boxes, strict=True):
        image.boxes = [Box(0, *four, area=1, ignored=False, key=1) for four in found]
    return AnnotatedSplit("train", images)


def drawn(count: int, *, corners: bool, seed: int = 0) -> list[Four]:
    """Draw boxes inside of an image, written by size or by corners."""
    draw = random.Random(seed)
    sides = [(draw.uniform(5, WIDTH / 2), draw.uniform(5, HEIGHT / 2)) for _ in range(count)]
    places = [(draw.uniform(0, WIDTH - wide), draw.uniform(0, HEIGHT - high)) for wide, high in sides]
    return [
        (x, y, x + wide, y + high) if corners else (x, y, wide, high)
        for (x, y), (wide, high) in zip(places, sides, strict=True)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_corners_are_told_from_sizes(seed: int) -> None:
    assert "does the file give corners?" in str(guess_of_corners(split_of([drawn(24, corners=True, seed=seed)])))
    assert guess_of_corners(split_of([drawn(24, corners=False, seed=seed)])) is None


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, WIDTH + 0.6, HEIGHT + 0.6),  # a rounding
        (0, 0, WIDTH, HEIGHT),  # the whole image either way
        (-9, -9, WIDTH, HEIGHT),  # before the image
        (600, 400, 90, 90),  # out of the image, but no corners
        (100, 100, 700, 300),  # out of the image in both readings
    ],
)
def test_boxes_that_do_not_fit_as_corners_are_no_reason_to_guess(box: Four) -> None:
    assert guess_of_corners(split_of([[box] * 9])) is None


def test_half_of_the_boxes_are_no_reason_to_guess() -> None:
    inside, corners = (10, 10, 50, 50), (400, 300, 500, 400)
    assert guess_of_corners(split_of([[inside, corners]])) is None
    assert guess_of_corners(split_of([[inside, corners, corners]])) is not None


def test_images_without_a_size_and_splits_without_boxes_say_nothing() -> None:
    corners = [drawn(24, corners=True)]
    assert guess_of_corners(split_of(corners, size=(None, None))) is None
    assert guess_of_corners(split_of([[], []])) is None
    assert guess_of_corners(split_of([])) is None


def test_images_from_all_over_a_large_file_count() -> None:
    """As many boxes as are looked at come first and are right; twice as many behind them are corners."""
    right, corners = [(10.0, 10.0, 50.0, 50.0)], [(400.0, 300.0, 500.0, 400.0)]
    assert guess_of_corners(split_of([right] * MOST + [corners] * 2 * MOST)) is not None
