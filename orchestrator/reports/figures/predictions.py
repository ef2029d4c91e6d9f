"""Draw detections of trials on the same images, under several thresholds (the supplement's figure A2)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from orchestrator.core.printable import printable
from orchestrator.reports.figures.canvas import BLUE, GREEN, GREY, VERMILION
from trainers.schema.predictions import Box, ImagePredictions, Picture

LOOKS_OF = {"tp": (GREEN, "-"), "fp": (VERMILION, "--"), "ignored": (GREY, ":")}  # colour, and lines for who sees none
CELL_INCHES = 2.0


@dataclass(frozen=True)
class PredictedImage:
    """Hold one image: its description, its pixels as JPEG, and the detections of each column's trial."""

    picture: Picture
    jpeg: bytes
    found: tuple[ImagePredictions, ...]


def draw_predictions(
    shown: Sequence[PredictedImage], names: Sequence[str], classes: Sequence[str], thresholds: Sequence[float]
) -> Figure:
    """Return a grid: a line for each image and threshold, columns for the objects and for each trial.

    Right boxes are green and solid, wrong ones red and dashed, those on crowds grey and dotted; a box is drawn when its
    score reaches the threshold.
    """
    lines = [(item, threshold) for item in shown for threshold in thresholds]
    size = ((1 + len(names)) * CELL_INCHES, sum(CELL_INCHES * _height(item.picture) for item, _ in lines) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    heights = [_height(item.picture) for item, _ in lines]
    grid = figure.subplots(len(lines), 1 + len(names), squeeze=False, height_ratios=heights)
    for axes, name in zip(grid[0], ("objects", *names), strict=True):
        axes.set_title(printable(name), fontsize=7)
    for places, (item, threshold) in zip(grid, lines, strict=True):
        places[0].set_ylabel(f"image {item.picture.key}, score ≥ {threshold:g}", fontsize=6)
        _draw_line(places, item, classes, threshold)
    return figure


def _draw_line(places: Any, item: PredictedImage, classes: Sequence[str], threshold: float) -> None:
    picture = item.picture
    pixels = Image.open(io.BytesIO(item.jpeg)).convert("RGB")
    for axes in places:
        axes.imshow(pixels, extent=(0, picture.width, picture.height, 0))
        axes.set_xticks([])
        axes.set_yticks([])
    for truth in picture.truth:
        colour, dashes = (GREY, ":") if truth.ignore else (BLUE, "-")
        _draw_box(places[0], truth.box, colour, dashes, _class(classes, truth.label))
    for axes, found in zip(places[1:], item.found, strict=True):
        rows = zip(found.boxes, found.scores, found.labels, found.kinds, strict=True)
        for box, score, label, kind in reversed(list(rows)):  # the surest box lies on top
            if score >= threshold:
                _draw_box(axes, box, *LOOKS_OF[kind], f"{_class(classes, label)} {score:.2f}")


def _draw_box(axes: Axes, box: Box, colour: str, dashes: str, text: str) -> None:
    x1, y1, x2, y2 = box
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linestyle=dashes, linewidth=1))
    axes.text(
        x1, y1, printable(text), fontsize=4, color="white", verticalalignment="bottom", clip_on=True,
        bbox={"facecolor": colour, "pad": 0.6, "linewidth": 0},
    )  # fmt: skip


def _class(classes: Sequence[str], label: int) -> str:
    return classes[label] if label < len(classes) else f"class {label}"


def _height(picture: Picture) -> float:
    """Return an image's height in widths of a cell."""
    return picture.height / picture.width
