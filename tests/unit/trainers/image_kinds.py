"""Write one picture as every kind of image file that people have."""

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 64, 48
Array = NDArray[Any]


def colours() -> Array:
    """Return a picture, uint8 (48, 64, 3), red first, that is equal to none of its turned versions."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.dstack([columns * 4, rows * 5, (columns + 2 * rows) % 256]).astype(np.uint8)


def pillow(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as a file's content."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opencv(pixels: Array, suffix: str) -> bytes:
    """Return pixels of any depth as a file's content."""
    return cv2.imencode(suffix, pixels)[1].tobytes()


def turned(orientation: int, kind: str = "JPEG", size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """Return an image with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    return pillow(Image.fromarray(colours()).resize(size), kind, exif=exif, **options)


def with_alpha(mode: str, least: int = 0) -> Image.Image:
    """Return an image whose opacity rises from ``least`` to 255."""
    image = Image.fromarray(colours()).convert("L" if mode == "LA" else "RGB")
    image.putalpha(Image.fromarray(np.linspace(least, 255, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint8)))
    return image


def deep(bits: int) -> Array:
    """Return grey values that use so many bits, uint16 (48, 64)."""
    return colours()[:, :, 0].astype(np.uint16) << (bits - 8)


def frames(kind: str, **options: Any) -> bytes:
    """Return a file of two images."""
    image = Image.fromarray(colours())
    return pillow(image, kind, save_all=True, append_images=[image.rotate(180)], **options)


def _rgb() -> Image.Image:
    return Image.fromarray(colours())


# Kinds whose pixels are mmdet's own, none of them changed by a word of the user.
USUAL: dict[str, Callable[[], bytes]] = {
    "rgb.jpg": lambda: pillow(_rgb(), "JPEG"),
    "progressive.jpg": lambda: pillow(_rgb(), "JPEG", progressive=True),
    "grey.jpg": lambda: pillow(_rgb().convert("L"), "JPEG"),
    "cmyk.jpg": lambda: pillow(_rgb().convert("CMYK"), "JPEG"),
    "rgb.png": lambda: pillow(_rgb(), "PNG"),
    "grey.png": lambda: pillow(_rgb().convert("L"), "PNG"),
    "one-bit.png": lambda: pillow(_rgb().convert("1"), "PNG"),
    "two-bits.png": lambda: pillow(Image.fromarray(colours()[:, :, 0] & 3), "PNG", bits=2),
    "palette.png": lambda: pillow(_rgb().quantize(16), "PNG"),
    "rgb.bmp": lambda: pillow(_rgb(), "BMP"),
    "one-bit.bmp": lambda: pillow(_rgb().convert("1"), "BMP"),
    "lossy.webp": lambda: pillow(_rgb(), "WEBP"),
    "lossless.webp": lambda: pillow(_rgb(), "WEBP", lossless=True),
    "palette.gif": lambda: pillow(_rgb().quantize(16), "GIF"),
    "two-frames.gif": lambda: frames("GIF"),
    "two-frames.png": lambda: frames("PNG"),
    "two-frames.webp": lambda: frames("WEBP", lossless=True),
    "rgb.tif": lambda: pillow(_rgb(), "TIFF"),
    "cmyk.tif": lambda: pillow(_rgb().convert("CMYK"), "TIFF"),
    "one-bit.tif": lambda: pillow(_rgb().convert("1"), "TIFF"),
    "two-pages.tif": lambda: frames("TIFF"),
    "lossless.jp2": lambda: pillow(_rgb(), "JPEG2000"),
    "rgb.ppm": lambda: pillow(_rgb(), "PPM"),
}
TRANSPARENT: dict[str, Callable[[], bytes]] = {
    "rgba.png": lambda: pillow(with_alpha("RGBA"), "PNG"),
    "la.png": lambda: pillow(with_alpha("LA"), "PNG"),
    "palette.png": lambda: pillow(_rgb().quantize(16), "PNG", transparency=0),
}
FULL_DEPTH: dict[str, Callable[[], bytes]] = {
    "grey.png": lambda: opencv(deep(16), ".png"),
    "grey.tif": lambda: opencv(deep(16), ".tif"),
    "rgb.png": lambda: opencv(colours()[:, :, ::-1].astype(np.uint16) * 257, ".png"),
    "rgb.tif": lambda: opencv(colours()[:, :, ::-1].astype(np.uint16) * 257, ".tif"),
}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "float.tif": (lambda: opencv(colours()[:, :, 0].astype(np.float32) / 255, ".tif"), "holds float32 values"),
    "float-rgb.tif": (lambda: opencv(colours().astype(np.float32) / 255, ".tif"), "holds float32 values"),
    "whole.tif": (lambda: pillow(Image.fromarray(colours()[:, :, 0].astype(np.int32), "I"), "TIFF"), "holds int32"),
    "photo.heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(99), "HEIC file: convert it to JPEG"),
    "pointer.png": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "page.jpg": (lambda: b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
    "drawing.png": (lambda: b"<?xml version='1.0'?><svg/>", "SVG drawing"),
    "empty.png": (lambda: b"", "is empty"),
    "text.jpg": (lambda: b"hello", "is no image"),
    "cut.jpg": (lambda: pillow(_rgb(), "JPEG")[:-200], "is damaged: image file is truncated"),
    "icon.ico": (lambda: pillow(_rgb(), "ICO"), "a kind of ICO that OpenCV does not read"),
}
