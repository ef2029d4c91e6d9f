"""Read datasets in COCO's JSON format."""

import os
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from trainers.errors import TrialError


@DATASETS.register_module(name="StillhouseCoco")
class CocoData(CocoDataset):
    """Serve a COCO dataset as mmdet does, and keep what evaluation compares with, which mmdet drops.

    ``annotations`` is the file's content, ``None`` for training. Raises ``TrialError`` when the file's categories are
    not the study's classes, or when no image is left.
    """

    annotations: dict[str, Any] | None = None

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one record an image."""
        self.COCOAPI = self._read  # shadows the class that mmdet reads the file with
        try:
            return super().load_data_list()
        finally:
            del self.COCOAPI

    def filter_data(self) -> list[dict[str, Any]]:
        """Return the records that are used; training skips images that are small or have no box."""
        left = super().filter_data()
        if not left:
            raise TrialError(f"{self.ann_file}: no image is left to use (training skips images without boxes)")
        return left

    def _read(self, path: str) -> Any:
        coco = CocoDataset.COCOAPI(path)
        self._require_categories(coco)
        self._require_images_below(coco)
        self.annotations = coco.dataset if self.test_mode else None
        return coco

    def _require_images_below(self, coco: Any) -> None:
        """Refuse images outside of the dataset's folder: the file may be a stranger's."""
        root = os.path.normpath(Path(self.data_root).absolute()).rstrip(os.sep)
        folder = Path(self.data_prefix["img"]).absolute()
        for image in coco.dataset["images"]:
            name = image["file_name"]
            path = os.path.normpath(folder / name)
            if not path.startswith(f"{root}{os.sep}") or not name.isprintable():
                raise TrialError(f"{self.ann_file}: image {name[:200]!a} does not lie below the dataset's root")

    def _require_categories(self, coco: Any) -> None:
        """Refuse categories in another order: mmdet numbers labels by the file, names by the study."""
        classes = tuple(self.metainfo["classes"])
        found = tuple(category["name"] for category in coco.load_cats(coco.get_cat_ids(cat_names=classes)))
        if found != classes:
            raise TrialError(
                f"{self.ann_file}: the study's classes are {list(classes)}, the file's, in its order, {list(found)}"
            )
