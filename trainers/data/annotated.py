"""Serve a split that is described by annotation files, as an mmdet dataset."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mmdet.datasets import BaseDetDataset

from trainers.errors import TrialError
from trainers.schema import class_names
from trainers.schema.annotations import Box, FileDataset, Image, SplitName, read_split, source
from trainers.schema.annotations.problems import problems
from trainers.schema.annotations.usage import Usage, usage, used_boxes, used_images
from trainers.schema.image_pixels import read_pixels, size_of
from trainers.schema.image_rule import FULL_DEPTH, ImageError, PixelRule
from trainers.schema.user_file import UnfitFile


class AnnotatedData(BaseDetDataset):
    """Serve the images of a split with the boxes that are learned (``train``) or count in evaluation (``val``).

    Ids are the user's. Images and boxes come in the files' order, as in mmdet's own datasets. Raises ``TrialError``
    when the files cannot be used, or no image is left. ``usage`` counts used content, and unused content by reason.
    """

    usage: Usage

    def __init__(self, *, spec: FileDataset, split: SplitName, **kwargs: Any) -> None:
        self._spec, self._split = spec, split
        super().__init__(metainfo={"classes": class_names(spec)}, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one record an image that is used."""
        rule = replace(self._spec.pixel_rule, bit_depth=FULL_DEPTH)  # which has no part in sizes
        found = read_split(self._spec, self._split, partial(_size_of, rule=rule))
        if (note := found.notes.stopping) is not None:
            raise TrialError(str(note))
        self.usage = usage(found, self._spec)
        used = used_images(found, self._spec)
        if not used:
            raise TrialError(f"{source(self._spec, self._split)}: {next(problems(self.usage, self._spec)).message}")
        return [_record(image, self._split) for image in used]

    def filter_data(self) -> list[dict[str, Any]]:
        """Return all records: reading has already left out unused ones."""
        return list(self.data_list)


def _record(image: Image, split: SplitName) -> dict[str, Any]:
    instances = [_instance(box) for box in used_boxes(image, split)]
    record = {"img_id": image.id, "img_path": image.path, "height": image.height, "width": image.width}
    if split != "train":  # evaluation compares with the file's own numbers
        for instance, box in zip(instances, used_boxes(image, split), strict=True):
            instance |= {"xywh": (box.x, box.y, box.width, box.height), "area": box.area}
    return {**record, "instances": instances}


def _instance(box: Box) -> dict[str, Any]:
    return {"bbox": list(box.corners), "bbox_label": box.label, "ignore_flag": int(box.ignored)}


def _size_of(file: Path, rule: PixelRule) -> tuple[int, int]:
    """Return an image's (width, height) by reading it, where the annotation does not say."""
    try:
        return size_of(read_pixels(file, rule))
    except ImageError as error:
        raise ValueError(f"{file} {error}") from error
    except UnfitFile as error:
        raise ValueError(f"{file} {error.strerror}") from error
