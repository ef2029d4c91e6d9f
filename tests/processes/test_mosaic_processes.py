"""Mixtures of images are the same in loader processes."""

from itertools import chain
from typing import Any

from tests.unit.trainers.data.test_data_mosaic import (
    STEPS,
    plain,
    stream,
    whole,  # noqa: F401  a fixture
)


def test_mixtures_are_the_same_in_loader_processes_and_shares(whole: Any) -> None:  # noqa: F811
    assert plain(stream(closing_from_epoch=2, loader_workers=1).batches(3, 5)) == whole[3:5]
    shares = [plain(stream(closing_from_epoch=2, rank=rank, world=2).batches(0, STEPS)) for rank in range(2)]
    assert [[*chain(*parts)] for parts in zip(*shares, strict=True)] == whole
