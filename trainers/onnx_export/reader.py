"""Find objects in images with the ONNX file of a detector: needs numpy and onnxruntime, and OpenCV or Pillow for files.

From Python, with pixels uint8 (height, width, 3), red first::

    detector = OnnxDetector("student.onnx")
    boxes, scores, labels = detector(pixels)
    names = [detector.classes[label] for label in labels]

As a command: ``python detect.py IMAGE ... --model student.onnx`` prints one line of JSON for each image.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

SHIFT = 11  # bits of the weights, as in OpenCV: a weight of 1 is 2048


class OnnxDetector:
    """Hold a detector; ``classes`` are the names that labels count through, ``settings`` its description."""

    def __init__(self, model: str | Path, **options: Any) -> None:
        """Read the ONNX file ``model``; ``options`` go to ``onnxruntime.InferenceSession``, on CPUs without any."""
        self._session = ort.InferenceSession(str(model), **{"providers": ["CPUExecutionProvider"], **options})
        described = self._session.get_modelmeta().custom_metadata_map
        self.settings: dict[str, Any] = json.loads(described["stillhouse"])
        self.classes: list[str] = self.settings["classes"]

    def __call__(self, pixels: Pixels, *, clip: bool = False) -> tuple[Floats, Floats, Integers]:
        """Return boxes (N, 4), scores (N,) and labels (N,) of an image, uint8 (height, width, 3), RGB.

        Boxes are (x1, y1, x2, y2) in pixels of the image, best score first. Some heads' boxes reach beyond the image;
        ``clip`` cuts them off there.
        """
        height, width = pixels.shape[:2]
        size = self.size(width, height)
        boxes, scores, labels = self._session.run(None, {"image": self.prepared(pixels)})
        boxes = boxes * np.array([1 / (size[0] / width), 1 / (size[1] / height)] * 2, np.float32)
        if clip:
            boxes = boxes.clip(0, np.array([width, height] * 2, np.float32))
        return boxes, scores, labels

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height to which an image is resized."""
        long, short = self.settings["size"]
        if not self.settings["keep_ratio"]:
            return long, short  # the image's new width and height, not a frame that it has to fit into
        long, short = max(long, short), min(long, short)
        factor = min(long / max(width, height), short / min(width, height))
        return max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5))

    def prepared(self, pixels: Pixels) -> Pixels:
        """Return the image as the network takes it: resized, and padded to a square where training padded."""
        height, width = pixels.shape[:2]
        resized = resize(pixels, *self.size(width, height))
        grey = self.settings["pad_to_square"]
        if grey is None:
            return resized
        side = max(resized.shape[:2])
        square = np.full((side, side, 3), grey, np.uint8)
        square[: resized.shape[0], : resized.shape[1]] = resized
        return square

    def read(self, path: str | Path) -> Pixels:
        """Return the pixels of a file, uint8 (height, width, 3), RGB, turned as training turned it."""
        return read(path, upright=self.settings["upright"])


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return ``pixels`` (H, W, C) in another size, bilinear in whole numbers, with the values of OpenCV."""
    left, right, weights = _neighbours(pixels.shape[1], width)
    inside = (left >= 0) & (
        right < pixels.shape[1]
    )  # at the sides OpenCV takes one pixel, above and below two equal ones
    columns = np.where(inside, weights, [[1 << SHIFT], [0]])[:, :, None]
    left, right = left.clip(0, pixels.shape[1] - 1), right.clip(0, pixels.shape[1] - 1)
    wide = pixels.astype(np.int32)
    rows = (wide[:, left] * columns[0] + wide[:, right] * columns[1]) >> 4
    above, below, weights = _neighbours(pixels.shape[0], height)
    above, below = above.clip(0, pixels.shape[0] - 1), below.clip(0, pixels.shape[0] - 1)
    first, second = weights[:, :, None, None]
    blend = ((first * rows[above]) >> 16) + ((second * rows[below]) >> 16)
    return ((blend + 2) >> 2).clip(0, 255).astype(np.uint8)


def _neighbours(old: int, new: int) -> tuple[Integers, Integers, NDArray[np.int32]]:
    """Return for each of ``new`` places the two nearest of ``old`` places, and their weights (2, new)."""
    places = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
    lower = np.floor(places).astype(np.int64)
    share = places - lower.astype(np.float32)
    weights = np.rint(np.stack([1 - share, share]) * (1 << SHIFT)).astype(np.int32)
    return lower, lower + 1, weights


def read(path: str | Path, *, upright: bool) -> Pixels:
    """Return an image file as RGB by OpenCV, or by Pillow where OpenCV is not; ``upright`` follows its EXIF orientation.

    Raises ``ValueError`` for a file that is no image.
    """
    try:
        import cv2
    except ImportError:
        return _read_by_pillow(path, upright=upright)
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    found = cv2.imread(str(path), flags)
    if found is None:
        raise ValueError(f"{path} is no image that OpenCV reads")
    return np.ascontiguousarray(found[:, :, ::-1])


def _read_by_pillow(path: str | Path, *, upright: bool) -> Pixels:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.array((ImageOps.exif_transpose(image) if upright else image).convert("RGB"))
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is no image that Pillow reads") from error


def main() -> None:
    """Print the detections in each image as one line of JSON."""
    parser = argparse.ArgumentParser(description="Find objects in images with the ONNX file of a detector.")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image file")
    parser.add_argument(
        "--model", default=Path(__file__).with_name("student.onnx"), help="ONNX file (default: beside this)"
    )
    parser.add_argument(
        "--above", type=float, default=0.3, metavar="SCORE", help="lowest score to print (default: 0.3)"
    )
    arguments = parser.parse_args()
    detector = OnnxDetector(arguments.model)
    for path in arguments.images:
        try:
            pixels = detector.read(path)
        except (OSError, ValueError) as error:
            parser.exit(2, f"{parser.prog}: {error}\n")
        boxes, scores, labels = detector(pixels, clip=True)
        found = [
            {
                "class": detector.classes[label],
                "score": round(float(score), 4),
                "box": [round(side, 1) for side in box.tolist()],
            }
            for box, score, label in zip(boxes, scores, labels, strict=True)
            if score >= arguments.above
        ]
        print(json.dumps({"image": path, "detections": found}))


if __name__ == "__main__":
    main()
