"""Read the images of a dataset's pipeline by the rule of ``trainers.schema.image_pixels``."""

from pathlib import Path
from typing import Any

from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from trainers.errors import TrialError
from trainers.schema.image_pixels import read_pixels, settled
from trainers.schema.image_rule import Exif, ImageError, PixelRule
from trainers.schema.user_file import UnfitFile


@TRANSFORMS.register_module(name="StillhouseLoadImage")
class LoadImage(BaseTransform):
    """Read an image as ``LoadImageFromFile`` does, but for images that are deeper than 8 bits, or turned by EXIF."""

    def __init__(self, exif: Exif, bit_depth: int | None) -> None:
        self.rule = PixelRule(exif, bit_depth)

    def settle(self, dataset: Any) -> None:
        """Learn from a dataset's first images how deep they are; raise ``TrialError`` where only the user can know."""
        paths = (Path(dataset.get_data_info(index)["img_path"]) for index in range(len(dataset)))
        try:
            self.rule = settled(self.rule, paths)
        except ImageError as error:
            raise TrialError(f"{error}") from error

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the pixels, uint8 (height, width, 3) with blue first, and their size."""
        path = Path(results["img_path"])
        try:
            image = read_pixels(path, self.rule, (results.get("width"), results.get("height")))
        except ImageError as error:
            raise TrialError(f"image {path} {error}") from error
        except UnfitFile as error:
            raise TrialError(f"image {path} {error.strerror}") from error
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results
