"""Draw the synthetic shapes dataset: every image is a function of (seed, split, index)."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS, TRANSFORMS
from numpy.typing import NDArray

from trainers.schema.annotations.usage import Usage

Pixels = NDArray[np.uint8]
SMALLEST, LARGEST = 0.12, 0.45  # side of a shape, as a share of the image's shorter side
SPLITS = ("train", "val")
SCENE, PIXELS = 0, 1  # the two random streams of an image
NOISE = 12  # standard deviation of the pixel noise, of 255


@dataclass(frozen=True)
class Shape:
    """Hold one shape: class label, box as (x1, y1, x2, y2) in pixels, and BGR colour."""

    label: int
    box: tuple[int, int, int, int]
    colour: tuple[int, int, int]


def scene(rng: np.random.Generator, size: tuple[int, int], classes: int, max_objects: int) -> list[Shape]:
    """Place 1 to ``max_objects`` shapes that overlap little in an image of ``size`` (width, height)."""
    placed: list[Shape] = []
    for _ in range(int(rng.integers(1, max_objects + 1))):
        candidate = _random_shape(rng, size, classes)
        if all(_overlap(candidate.box, other.box) < 0.2 for other in placed):
            placed.append(candidate)
    return placed


def draw(rng: np.random.Generator, shapes: list[Shape], size: tuple[int, int], names: tuple[str, ...]) -> Pixels:
    """Return the BGR image, uint8 (height, width, 3), of ``shapes`` over a plain background with noise."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[:] = rng.integers(60, 196, 3)
    for shape in shapes:
        _draw_one(image, shape, names[shape.label])
    noisy = image + rng.normal(0.0, NOISE, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _random_shape(rng: np.random.Generator, size: tuple[int, int], classes: int) -> Shape:
    side = int(rng.uniform(SMALLEST, LARGEST) * min(size))
    x = int(rng.integers(0, size[0] - side))
    y = int(rng.integers(0, size[1] - side))
    blue, green, red = (int(value) for value in rng.integers(0, 256, 3))
    return Shape(int(rng.integers(classes)), (x, y, x + side, y + side), (blue, green, red))


def _overlap(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """Return the intersection as a share of the smaller box."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return max(width, 0) * max(height, 0) / smaller


def _draw_one(image: Pixels, shape: Shape, name: str) -> None:
    x1, y1, x2, y2 = shape.box
    if name == "circle":
        cv2.circle(image, ((x1 + x2) // 2, (y1 + y2) // 2), (x2 - x1) // 2, shape.colour, -1)
    elif name == "square":
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), shape.colour, -1)
    else:
        corners = np.array([[x1, y2 - 1], [x2 - 1, y2 - 1], [(x1 + x2) // 2, y1]], np.int32)
        cv2.fillPoly(image, [corners], shape.colour)


@DATASETS.register_module(name="StillhouseShapes")
class ShapesData(BaseDetDataset):
    """Serve the shapes as an mmdet dataset whose pipeline begins with ``DrawShapes``; ``usage`` counts them."""

    usage: Usage

    def __init__(self, *, split: str, count: int, size: tuple[int, int], max_objects: int, seed: int, **kwargs: Any):
        self.split, self.count, self.size = split, count, (size[0], size[1])
        self.max_objects, self.shapes_seed = max_objects, seed
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return one record an image; pixels are drawn later, by the pipeline."""
        records = [self._record(index) for index in range(self.count)]
        self.usage = self._count(records)
        return records

    def _count(self, records: list[dict[str, Any]]) -> Usage:
        labels = Counter(instance["bbox_label"] for record in records for instance in record["instances"])
        by_class = {name: labels[label] for label, name in enumerate(self.metainfo["classes"])}
        return Usage(self.split, len(records), len(records), labels.total(), by_class=by_class)

    def _record(self, index: int) -> dict[str, Any]:
        shapes = scene(
            np.random.default_rng(self._seed_of(index, SCENE)),
            self.size,
            len(self.metainfo["classes"]),
            self.max_objects,
        )
        instances = [{"bbox": list(s.box), "bbox_label": s.label, "ignore_flag": 0} for s in shapes]
        width, height = self.size
        return {
            "img_id": index + 1,
            "img_path": f"shapes/{self.split}/{index}.png",
            "height": height,
            "width": width,
            "instances": instances,
            "shapes": [(s.label, s.box, s.colour) for s in shapes],
            "names": tuple(self.metainfo["classes"]),
            "noise_seed": self._seed_of(index, PIXELS),
        }

    def _seed_of(self, index: int, what: int) -> tuple[int, ...]:
        return (self.shapes_seed, SPLITS.index(self.split), index, what)


@TRANSFORMS.register_module(name="StillhouseDrawShapes")
class DrawShapes(BaseTransform):
    """Draw the image of a ``StillhouseShapes`` record, where other datasets load it from a file."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add ``img`` (uint8, height x width x 3, BGR) and its shape to the record."""
        shapes = [Shape(label, tuple(box), tuple(colour)) for label, box, colour in results["shapes"]]
        size = (results["width"], results["height"])
        results["img"] = draw(np.random.default_rng(results["noise_seed"]), shapes, size, results["names"])
        results["img_shape"] = results["ori_shape"] = results["img"].shape[:2]
        return results
