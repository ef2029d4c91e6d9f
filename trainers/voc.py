"""Read datasets in Pascal VOC's XML format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmcv
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS

from trainers.errors import TrialError
from trainers.spec import VocPart
from trainers.spec.dataset import require_below
from trainers.spec.voc_layout import image_file, names_in, set_file, xml_file
from trainers.spec.voc_xml import VocImage, VocXmlError, is_inside, read_voc_xml, whole_box


@DATASETS.register_module(name="StillhouseVoc")
class VocData(BaseDetDataset):
    """Serve the parts of a VOC split one after the other, as mmdet's ``VOCDataset`` reads each.

    Coordinates are cut to whole pixels and counted from 0. Difficult objects are marked to be ignored. Left out are
    objects of other classes and, as in COCO files, those without any area inside the image. Unlike mmdet, images are
    numbered from 1, and need not be JPEG files.
    """

    def __init__(self, *, root: str, parts: tuple[VocPart, ...], first_pixel: int, **kwargs: Any) -> None:
        self.root, self.parts, self.first_pixel = Path(root), parts, first_pixel
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one record an image."""
        labels = {name: label for label, name in enumerate(self.metainfo["classes"])}
        return [self._record(*found, labels) for found in enumerate(self._images(), start=1)]

    def filter_data(self) -> list[dict[str, Any]]:
        """Return the records that are used; training skips images that are small or have no object."""
        left = self.data_list if self.test_mode else list(filter(self._serves, self.data_list))
        if not left:
            lists = ", ".join(str(set_file(self.root, part)) for part in self.parts)
            raise TrialError(f"{lists}: no image is left to use (training skips images without boxes)")
        return left

    def _serves(self, record: dict[str, Any]) -> bool:
        wanted = self.filter_cfg or {}
        large = min(record["width"], record["height"]) >= wanted.get("min_size", 0)
        return large and bool(record["instances"] or not wanted.get("filter_empty_gt"))

    def _images(self) -> Iterator[tuple[VocPart, str]]:
        for part in self.parts:
            try:
                names = names_in(self.root, part)
            except (OSError, UnicodeDecodeError) as error:
                raise TrialError(f"cannot read {set_file(self.root, part)} as a list of images: {error}") from error
            yield from ((part, self._below(name, part)) for name in names)

    def _below(self, name: str, part: VocPart) -> str:
        """Refuse images outside of the part's folder: the list may be a stranger's."""
        try:
            return require_below(name)
        except ValueError as error:
            raise TrialError(f"{set_file(self.root, part)}: {error}") from error

    def _record(self, number: int, found: tuple[VocPart, str], labels: dict[str, int]) -> dict[str, Any]:
        path = xml_file(self.root, *found)
        try:
            image = read_voc_xml(path)
            file = image_file(self.root, *found, image.file_name)
            width, height = image.size or _size_of(file)
            instances = list(self._instances(image, (width, height), labels))
        except VocXmlError as error:
            raise TrialError(f"{path} {error}") from error
        except (OSError, ValueError, OverflowError) as error:
            raise TrialError(f"cannot read {path} as a VOC annotation: {error}") from error
        return {"img_id": number, "img_path": str(file), "height": height, "width": width, "instances": instances}

    def _instances(self, image: VocImage, size: tuple[int, int], labels: dict[str, int]) -> Iterator[dict[str, Any]]:
        for item in image.objects:
            if item.name in labels and is_inside(box := whole_box(item, self.first_pixel), size):
                yield {"bbox": box, "bbox_label": labels[item.name], "ignore_flag": int(item.difficult)}


def _size_of(file: Path) -> tuple[int, int]:
    """Return an image's (width, height) by reading it, where the annotation does not say."""
    height, width = mmcv.imread(file).shape[:2]
    return width, height
