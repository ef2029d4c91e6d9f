"""Images that costs are measured on have the sizes of a batch: width and height in their places, padded as the detector pads."""

from types import SimpleNamespace
from typing import Any

import pytest

from trainers.costs.images import annotated_images, noise_image, padded


def detector(**preprocessor: Any) -> Any:
    return SimpleNamespace(data_preprocessor=SimpleNamespace(**preprocessor))


@pytest.mark.parametrize(
    ("preprocessor", "size", "canvas"),
    [
        ({"pad_size_divisor": 32}, (65, 32), (32, 96)),
        ({"pad_size_divisor": 1}, (65, 33), (33, 65)),
        ({}, (65, 33), (33, 65)),
        ({"pad_size_divisor": 32}, (64, 96), (96, 64)),
    ],
)
def test_sides_are_padded_to_the_multiple_of_the_detector(preprocessor, size, canvas):
    assert padded(detector(**preprocessor), size) == canvas


def test_a_noise_image_says_its_own_size_and_its_canvas_and_is_the_same_each_time():
    pixels, [sample] = noise_image(detector(pad_size_divisor=32), (65, 30))
    assert pixels.shape == (1, 3, 32, 96)
    assert (sample.img_shape, sample.ori_shape, sample.pad_shape, sample.batch_input_shape) == (
        (30, 65),
        (30, 65),
        (32, 96),
        (32, 96),
    )
    assert noise_image(detector(pad_size_divisor=32), (65, 30))[0].equal(pixels)


def test_annotated_images_have_their_number_of_objects_each():
    pixels, samples = annotated_images(detector(pad_size_divisor=32), (65, 30), 3, 5)
    assert pixels.shape == (3, 3, 32, 96)
    assert [(len(sample.gt_instances), len(sample.ignored_instances)) for sample in samples] == [(5, 0)] * 3
    assert samples[0].gt_instances.bboxes.shape == (5, 4)
