"""Serve a split that is described by annotation files, as an mmdet dataset."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import BaseDetDataset
from numpy.typing import NDArray

from trainers.data.plain_samples import plain_samples
from trainers.data.sample_index import SplitSamples, indexed, map_samples
from trainers.data.samples import samples_of
from trainers.errors import TrialError
from trainers.schema import class_names
from trainers.schema.annotations import FileDataset, SplitName, read_split, source
from trainers.schema.annotations.pieces import NotPlain
from trainers.schema.annotations.problems import problems
from trainers.schema.annotations.usage import Usage, usage, used_images
from trainers.schema.collector import collector_paused
from trainers.schema.image_pixels import read_pixels, size_of
from trainers.schema.image_rule import FULL_DEPTH, ImageError, PixelRule
from trainers.schema.user_file import UnfitFile


class AnnotatedData(BaseDetDataset):
    """Serve the images of a split with the boxes that are learned (``train``) or count in evaluation (``val``).

    Ids are the user's. Images and boxes come in the files' order, as in mmdet's own datasets. Raises ``TrialError``
    when the files cannot be used, or no image is left. ``usage`` counts used content, and unused content by reason.
    """

    usage: Usage
    _fully_initialized: bool

    def __init__(self, *, spec: FileDataset, split: SplitName, **kwargs: Any) -> None:
        self._spec, self._split = spec, split
        super().__init__(metainfo={"classes": class_names(spec)}, **kwargs)

    def full_init(self) -> None:
        """Read the samples, or find them on this machine; a record is made when it is asked for."""
        if not self._fully_initialized:
            kept = indexed(self._spec, self._split, partial(_read, self._spec, self._split))
            self._samples, self._folder, self.usage = kept.samples, kept.folder, kept.usage
            self._fully_initialized = True

    def __len__(self) -> int:
        return len(self._samples)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return an image's record; raises ``IndexError`` beyond the last."""
        return {**self._samples.record(idx), "sample_idx": range(len(self))[idx]}

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Return width and height of each image, (images, 2)."""
        return self._samples.sizes

    @property
    def box_counts(self) -> NDArray[np.int64]:
        """Return how many boxes each image has, int64 (images,)."""
        return np.diff(self._samples.starts)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out samples that a loader process can map as well."""
        return {**self.__dict__, **({"_samples": None} if self._folder is not None else {})}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._folder is not None:
            self._samples = map_samples(self._folder)


def _read(spec: FileDataset, split: SplitName) -> SplitSamples:
    """Read a split: at once where nothing is odd, else box by box."""
    try:
        with collector_paused():
            return plain_samples(spec, split)
    except NotPlain:
        return _read_boxes(spec, split)


def _read_boxes(spec: FileDataset, split: SplitName) -> SplitSamples:
    rule = replace(spec.pixel_rule, bit_depth=FULL_DEPTH)  # which has no part in sizes
    with collector_paused():
        found = read_split(spec, split, partial(_size_of, rule=rule))
        if (note := found.notes.stopping) is not None:
            raise TrialError(str(note))
        counts, used = usage(found, spec), used_images(found, spec)
        if not used:
            raise TrialError(f"{source(spec, split)}: {next(problems(counts, spec)).message}")
        return SplitSamples(samples_of(used, split), counts, found.listings)


def _size_of(file: Path, rule: PixelRule) -> tuple[int, int]:
    """Return an image's (width, height) by reading it, where the annotation does not say."""
    try:
        return size_of(read_pixels(file, rule))
    except ImageError as error:
        raise ValueError(f"{file} {error}") from error
    except UnfitFile as error:
        raise ValueError(f"{file} {error.strerror}") from error
