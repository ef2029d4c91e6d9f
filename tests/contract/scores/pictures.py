"""Draw images whose objects are filled boxes of their class's colour, and store them in unusual ways."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[float, float, float, float]  # x, y, width, height
Store = Callable[[Image.Image, Path], None]
CLASSES = ("bolt", "nut", "gear")
COLOURS = ((250, 40, 30), (40, 200, 60), (30, 60, 140))  # of different brightness, too
GROUND = (235, 235, 235)
CELL = 48


@dataclass(slots=True)
class Picture:
    """Hold one image to be drawn: its size (width, height) and its objects, each a class and a box."""

    size: tuple[int, int]
    objects: list[tuple[int, Box]]

    def draw(self) -> Image.Image:
        canvas = np.full((self.size[1], self.size[0], 3), GROUND, np.uint8)
        for label, (x, y, width, height) in self.objects:
            canvas[int(y) : int(y + height), int(x) : int(x + width)] = COLOURS[label]
        return Image.fromarray(canvas)


def random_pictures(seed: int, count: int = 5, size: tuple[int, int] = (192, 144)) -> list[Picture]:
    """Return pictures with small and medium boxes, one to a cell; the first also has a large one."""
    rng = np.random.default_rng(seed)
    return [_picture(rng, size, large=number == 0) for number in range(count)]


def _picture(rng: np.random.Generator, size: tuple[int, int], *, large: bool) -> Picture:
    cells = [(x, y) for y in range(0, size[1] - CELL + 1, CELL) for x in range(0, size[0] - CELL + 1, CELL)]
    objects: list[tuple[int, Box]] = []
    if large:
        objects.append((int(rng.integers(3)), (3.0, 2.0, 130.0, 90.0)))
        cells = [cell for cell in cells if cell[0] >= 3 * CELL or cell[1] >= 2 * CELL]
    count = min(len(cells), int(rng.integers(3, 6)))
    for cell in rng.permutation(len(cells))[:count].tolist():
        width, height = (float(rng.integers(9, CELL - 3)) for _ in "wh")
        room = zip(cells[cell], (width, height), strict=True)
        x, y = (float(start + rng.integers(0, int(CELL - side))) for start, side in room)
        objects.append((int(rng.integers(3)), (x, y, width, height)))
    return Picture(size, objects)


def plain(image: Image.Image, path: Path) -> None:
    image.save(path, format="PNG", compress_level=1)


def converted(mode: str) -> Store:
    """Return how an image is stored in another mode of PIL's."""
    return lambda image, path: plain(image.convert(mode), path)


def palette(image: Image.Image, path: Path) -> None:
    plain(image.quantize(8), path)


def cmyk(image: Image.Image, path: Path) -> None:
    image.convert("CMYK").save(path, format="JPEG", quality=98)


def deep(image: Image.Image, path: Path) -> None:
    """Store grey of 16 bits that uses the whole range."""
    plain(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), path)


def turned(orientation: int) -> Store:
    """Return how a camera stores an image that viewers turn by its EXIF orientation."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }

    def store(image: Image.Image, path: Path) -> None:
        tag(orientation)(image.transpose(undo[orientation]), path)

    return store


def tag(orientation: int) -> Store:
    """Return how an image is stored whose EXIF orientation is wrong: its pixels stand as they should."""

    def store(image: Image.Image, path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(path, format="JPEG", quality=98, subsampling=0, exif=exif)

    return store


def brightness(colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return a colour as grey, as television defines it."""
    return np.full(3, np.dot(colour, (0.299, 0.587, 0.114)))
