"""Outputs answer with what their head gives, name what it does not give, and remember what shapes alone decide."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from trainers.distill.adapters.base import Constants
from trainers.distill.adapters.grid import GridOutputs
from trainers.distill.head_outputs import HeadOutputs
from trainers.schema.terms import Need

QUESTIONS = {
    "level_sizes": Need.BOXES,
    "logits_AC": Need.LOGITS,
    "boxes_A4": Need.BOXES,
    "distributions_A4K": Need.DISTRIBUTIONS,
    "deltas_A4": Need.DELTAS,
    "priors_A4": Need.PRIORS,
    "strides_A": Need.BOXES,
    "class_logits_AC": Need.OBJECTNESS,
    "objectness_A": Need.OBJECTNESS,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_head_that_gives_nothing_names_what_it_is_asked_for(name: str) -> None:
    found = HeadOutputs(SimpleNamespace(head=torch.nn.ReLU()), [], (), {})
    with pytest.raises(NotImplementedError, match=f"^ReLU does not give {QUESTIONS[name]}$"):
        getattr(found, name)


class Grid:
    """Give the places (x, y) of each level, as a generator of priors does, and note what it was asked for."""

    strides = ((8, 8), (16, 16), (32, 32))

    def __init__(self) -> None:
        self.asked: list[list[tuple[int, int]]] = []

    def grid_priors(self, sizes: Any, **_: Any) -> list[Tensor]:
        self.asked.append([(int(height), int(width)) for height, width in sizes])
        return [
            torch.cartesian_prod(torch.arange(float(width)), torch.arange(float(height))) * stride
            for (height, width), (stride, _) in zip(sizes, self.strides, strict=False)
        ]


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("images", [1, 2])
def test_each_anchor_has_its_level_image_and_stride(levels: int, images: int) -> None:
    grid = Grid()
    grid.strides = Grid.strides[:levels]
    sizes = [(4, 6), (2, 3), (1, 2)][:levels]
    adapter = SimpleNamespace(constants=Constants(), head=SimpleNamespace(prior_generator=grid))
    outs = ([torch.zeros(images, 5, *size) for size in sizes],)
    for _ in range(2):
        found = GridOutputs(adapter, [], outs, {})
        counts = [height * width for height, width in sizes]
        assert (found.images, found.level_sizes) == (images, counts)
        level_A, image_A = found.anchor_index()
        strides = [8.0, 16.0, 32.0]
        of_one = [level for level, count in enumerate(counts) for _ in range(count)]
        assert level_A.tolist() == of_one * images
        assert image_A.tolist() == [image for image in range(images) for _ in of_one]
        assert found.strides_A.tolist() == [strides[level] for level in of_one] * images
        assert found.grid_points().shape == (images * sum(counts), 2)
        assert found.grid_points()[: counts[0]].max().item() == 5.0, "places are in units of the stride"
    assert grid.asked == [sizes], "a batch of the same shapes is not asked for anew"
