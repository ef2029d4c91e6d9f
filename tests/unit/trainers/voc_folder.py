"""Write a small dataset in Pascal VOC's layout."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trainers.schema import VocDataset, VocPart

CLASSES = ("cat", "dog")
Object = tuple[str, tuple[float, float, float, float], int]  # name, corners, difficult
SOME: tuple[Object, ...] = (("cat", (5, 7, 32, 24), 0), ("dog", (11, 13, 40, 30), 1))


def xml(objects: Sequence[Object], size: tuple[int, int] | None = (64, 48), file_name: str = "x.jpg") -> str:
    """Return an annotation file's text."""
    parts = [f"<filename>{file_name}</filename>"]
    if size is not None:
        parts.append(f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>")
    for name, corners, difficult in objects:
        box = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
        parts.append(f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{box}</bndbox></object>")
    return f"<annotation>{''.join(parts)}</annotation>"


def write_part(root: Path, part: VocPart, images: dict[str, str], suffix: str = ".jpg") -> None:
    """Write one part of a split: its list, an annotation file with the given text and a noisy image for each name."""
    folder = root / part.folder
    for name in ("ImageSets/Main", part.annotations, part.images):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "ImageSets" / "Main" / f"{part.set}.txt").write_text("".join(f"{name}\n" for name in images))
    rng = np.random.default_rng(0)
    for name, text in images.items():
        (folder / part.annotations / f"{name}.xml").write_text(text)
        pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / part.images / f"{name}{suffix}"), pixels)


def write_voc_folder(root: Path, count: int = 4, **changes: Any) -> VocDataset:
    """Write ``count`` images with a cat and a difficult dog each, in the last a plain one; they serve as both splits."""
    part = VocPart(folder="VOC2007", set="trainval")
    texts = {f"{number:06}": xml(SOME) for number in range(count)}
    write_part(root, part, {**texts, f"{count - 1:06}": xml([(name, box, 0) for name, box, _ in SOME])})
    settings = {"classes": CLASSES, "image_size": (64, 64), "train": (part,), "val": (part,), **changes}
    return VocDataset(kind="voc", root=str(root), **settings)
