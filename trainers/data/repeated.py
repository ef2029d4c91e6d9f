"""Make several passes through a dataset one epoch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.data.samples import sizes_of


class Repeated:
    """Serve a dataset ``times`` times in a row, under indices of their own, so that each pass is augmented anew."""

    def __init__(self, dataset: Any, times: int) -> None:
        self.dataset, self._times = dataset, times
        self.metainfo = dataset.metainfo

    def __len__(self) -> int:
        return self._times * len(self.dataset)

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Return width and height of each item's image, (items, 2)."""
        return np.tile(sizes_of(self.dataset), (self._times, 1))

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index % len(self.dataset)]

    def plain(self, index: int) -> Any:
        """Return the item without mixing it with other images."""
        return without_mixing(self.dataset, index % len(self.dataset))

    def get_data_info(self, index: int) -> Any:
        """Return an item's record."""
        return self.dataset.get_data_info(index % len(self.dataset))


def without_mixing(dataset: Any, index: int) -> Any:
    """Return an item as the closing epochs see it: of datasets that mix images, the image alone."""
    return dataset.plain(index) if hasattr(dataset, "plain") else dataset[index]
