"""Train on YOLOX's mixtures of images: Mosaic and MixUp."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.registry import TRANSFORMS
from mmengine.dataset import Compose
from numpy.typing import NDArray

from trainers.data.samples import box_counts_of, sizes_of

Config = dict[str, Any]
PARTNERS = {"Mosaic": 3, "MixUp": 1}  # how many other images each step takes
MIXUP = "MixUp"


class MosaicData:
    """Serve mixtures of a dataset's images; ``plain`` serves the images themselves, for the closing epochs.

    ``dataset`` is an mmdet dataset whose pipeline ends with unpacked images and boxes. ``mixing`` are the configs of
    the steps of the mixture, ``finishing`` of those after it. All draws, the other images' indices among them, come
    from NumPy's global generator: an item is a function of its index and of how that was seeded. Unlike mmdet's
    wrapper, this one finds MixUp's partner, an image with boxes, without loading those that have none.
    """

    def __init__(self, dataset: Any, mixing: Sequence[Config], finishing: Sequence[Config]) -> None:
        self.dataset = dataset
        self.metainfo = dataset.metainfo
        self._mixing = [(step["type"], TRANSFORMS.build(step)) for step in mixing]
        self._finishing = Compose(list(finishing))
        self._with_boxes = np.flatnonzero(box_counts_of(dataset))

    def __len__(self) -> int:
        return len(self.dataset)

    def get_data_info(self, index: int) -> Any:
        """Return the record of the image that the mixture begins with."""
        return self.dataset.get_data_info(index)

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Return width and height of the images that mixtures begin with, (images, 2)."""
        return sizes_of(self.dataset)

    def __getitem__(self, index: int) -> Any:
        mixture = self.dataset[index]
        for kind, step in self._mixing:
            if kind in PARTNERS:
                mixture["mix_results"] = [self.dataset[other] for other in self._draw(kind)]
            mixture = step(mixture)
            mixture.pop("mix_results", None)
        return self._finishing(mixture)

    def plain(self, index: int) -> Any:
        """Return the image alone, augmented without Mosaic, affine map and MixUp."""
        return self._finishing(self.dataset[index])

    def _draw(self, kind: str) -> list[int]:
        among = self._with_boxes if kind == MIXUP and len(self._with_boxes) else np.arange(len(self.dataset))
        return [int(among[drawn]) for drawn in np.random.randint(0, len(among), PARTNERS[kind])]  # noqa: NPY002
