"""Hold the images and boxes of a split in a few arrays, from which an image's record is made when it is asked for."""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.schema.annotations import Box, Image, SplitName
from trainers.schema.annotations.usage import used_boxes

encode = json.encoder.encode_basestring_ascii
Numbers = NDArray[np.float64]
Record = dict[str, Any]


class Texts(NamedTuple):
    """Hold values as JSON texts one after the other: ``letters`` uint8, ``ends`` int64 (values + 1,) from 0."""

    letters: NDArray[np.uint8]
    ends: NDArray[np.int64]

    def value(self, index: int) -> Any:
        """Return one value."""
        return json.loads(self.letters[self.ends[index] : self.ends[index + 1]].tobytes())


@dataclass(frozen=True, slots=True)
class Samples:
    """Hold N images and their M boxes in the images' order; image ``i`` has the boxes ``starts[i]`` to ``starts[i + 1]``.

    ``sizes`` (N, 2) are width and height in pixels, NaN where nothing tells them; ``boxes`` (M, 4) are x, y, width and height
    in pixels, as the file gives them; ``areas`` (M,) are in square pixels; ``labels`` (M,) count the study's classes from 0.
    ``evaluated`` adds to a record the numbers that evaluation compares with.
    """

    ids: Texts
    paths: Texts
    sizes: Numbers
    starts: NDArray[np.int64]
    boxes: Numbers
    areas: Numbers
    labels: NDArray[np.int32]
    ignored: NDArray[np.bool_]
    evaluated: bool

    def __len__(self) -> int:
        return len(self.sizes)

    def record(self, index: int) -> Record:
        """Return the record of an image as mmdet's datasets have it; raises ``IndexError`` beyond the last."""
        place = range(len(self))[index]
        width, height = map(_side, self.sizes[place].tolist())
        found = {"img_id": self.ids.value(place), "img_path": self.paths.value(place), "height": height, "width": width}
        return {**found, "instances": self._instances(slice(*self.starts[place : place + 2].tolist()))}

    def _instances(self, mine: slice) -> list[Record]:
        boxes = self.boxes[mine].tolist()
        rows = zip(boxes, self.labels[mine].tolist(), self.ignored[mine].tolist(), strict=True)
        found = [
            {"bbox": [x, y, x + width, y + height], "bbox_label": label, "ignore_flag": int(ignored)}
            for (x, y, width, height), label, ignored in rows
        ]
        if self.evaluated:
            for instance, box, area in zip(found, boxes, self.areas[mine].tolist(), strict=True):
                instance |= {"xywh": tuple(box), "area": area}
        return found


class BoxArrays(NamedTuple):
    """Hold the boxes of N images, in their order: ``counts`` of each image (N,), and of all M boxes the arrays of ``Samples``."""

    counts: NDArray[np.int64]
    boxes: Numbers
    areas: Numbers
    labels: NDArray[np.int32]
    ignored: NDArray[np.bool_]


def samples_of(images: Sequence[Image], split: SplitName) -> Samples:
    """Return the images with the boxes that the split uses of them; no number changes but that integers become floats."""
    kept = [used_boxes(image, split) for image in images]
    labels, x, y, width, height, areas, ignored, *_ = _columns(list(chain.from_iterable(kept)))
    found = BoxArrays(
        counts=np.fromiter(map(len, kept), np.int64),
        boxes=np.stack([_numbers(side) for side in (x, y, width, height)], axis=1),
        areas=_numbers(areas),
        labels=np.array(labels, np.int32),
        ignored=np.array(ignored, np.bool_),
    )
    return samples_with(images, found, split)


def samples_with(images: Sequence[Image], found: BoxArrays, split: SplitName) -> Samples:
    """Return the images with boxes that are arrays already."""
    return Samples(
        ids=_texts(image.id for image in images),
        paths=_texts(image.path for image in images),
        sizes=np.array([_size(image) for image in images], np.float64).reshape(-1, 2),
        starts=_from_zero(found.counts),
        boxes=found.boxes,
        areas=found.areas,
        labels=found.labels,
        ignored=found.ignored,
        evaluated=split != "train",
    )


def sizes_of(dataset: Any) -> Numbers:
    """Return width and height of each of a dataset's images, (images, 2), without making their records if possible."""
    if hasattr(dataset, "sizes"):
        found: Numbers = dataset.sizes
        return found
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return np.array([(info["width"], info["height"]) for info in infos], np.float64).reshape(-1, 2)


def box_counts_of(dataset: Any) -> NDArray[np.int64]:
    """Return how many boxes each of a dataset's images has, int64 (images,)."""
    if hasattr(dataset, "box_counts"):
        found: NDArray[np.int64] = dataset.box_counts
        return found
    counts = (len(dataset.get_data_info(index)["instances"]) for index in range(len(dataset)))
    return np.fromiter(counts, np.int64, len(dataset))


def _side(value: float) -> int | float | None:
    if value.is_integer():
        return int(value)
    return None if math.isnan(value) else value


def _size(image: Image) -> tuple[float, float]:
    return image.size or (np.nan, np.nan)


def _columns(boxes: Sequence[Box]) -> Sequence[Sequence[Any]]:
    """Return the parts of boxes, each for all boxes, in one way through memory."""
    return list(zip(*boxes, strict=True)) if boxes else [()] * len(Box._fields)


def _numbers(values: Sequence[float]) -> Numbers:
    """Return numbers as an array; an integer that no float holds becomes the largest one."""
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([min(value, sys.float_info.max) for value in values], np.float64)


def _texts(values: Iterable[int | str]) -> Texts:
    found = [(encode(value) if isinstance(value, str) else str(value)).encode() for value in values]
    return Texts(np.frombuffer(b"".join(found), np.uint8), _from_zero(np.fromiter(map(len, found), np.int64)))


def _from_zero(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


ARRAYS = tuple(field.name for field in fields(Samples) if field.name not in ("ids", "paths", "evaluated"))


def to_arrays(samples: Samples) -> dict[str, NDArray[Any]]:
    """Return all arrays of samples by name, those of a text under two names."""
    texts = {
        f"{name}-{part}": getattr(getattr(samples, name), part) for name in ("ids", "paths") for part in Texts._fields
    }
    return texts | {name: getattr(samples, name) for name in ARRAYS}


def from_arrays(arrays: dict[str, NDArray[Any]], *, evaluated: bool) -> Samples:
    """Return the samples of ``to_arrays``' result."""
    texts = {name: Texts(*(arrays[f"{name}-{part}"] for part in Texts._fields)) for name in ("ids", "paths")}
    return Samples(**texts, **{name: arrays[name] for name in ARRAYS}, evaluated=evaluated)  # type: ignore[arg-type]
