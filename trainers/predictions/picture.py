"""Keep a chosen image as a JPEG, with its annotations."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from trainers.errors import TrialError
from trainers.schema.predictions import IMAGES, Limits, Picture, TruthBox, key_of


def keep_picture(dataset: Any, place: int, limits: Limits, folder: Path) -> Picture:
    """Write an image of a dataset to ``folder/images/<key>.jpg`` and return its description."""
    info = dataset.get_data_info(place)
    image = _pixels(dataset, info)
    height, width = image.shape[:2]
    factor = min(1.0, limits.longest_side / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor < 1.0 else image
    key, name = key_of(info["img_id"]), str(info["img_id"])
    done, content = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, limits.quality])
    if not done:
        raise TrialError(f"cannot write image {info['img_id']} as JPEG")
    picture_file(folder, key).write_bytes(content.tobytes())
    return Picture(
        key=key, id="" if key == name else name, file=_file_name(info), width=width, height=height, shown_width=size[0], shown_height=size[1],
        truth=tuple(map(_truth, info["instances"])),
    )  # fmt: skip


def picture_file(folder: Path, key: str) -> Path:
    """Return where an image lies."""
    return folder / IMAGES / f"{key}.jpg"


def _file_name(info: dict[str, Any]) -> str:
    """Return the name of an image's file, empty where it has none."""
    return Path(str(info.get("img_path") or "")).name


def _pixels(dataset: Any, info: dict[str, Any]) -> NDArray[np.uint8]:
    """Return the image as the first step of the dataset's pipeline reads it, uint8 (height, width, 3), BGR."""
    try:
        read: NDArray[np.uint8] = dataset.pipeline.transforms[0].transform(dict(info))["img"]
    except OSError as error:
        raise TrialError(f"cannot read image {info['img_path']}: {error}") from error
    return read


def _truth(instance: dict[str, Any]) -> TruthBox:
    x1, y1, x2, y2 = (round(float(side), 2) for side in instance["bbox"])
    return TruthBox(box=(x1, y1, x2, y2), label=int(instance["bbox_label"]), ignore=bool(instance["ignore_flag"]))
