"""Write datasets with real images for `data check`, to be broken in one place each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.unit.orchestrator.coco_data import annotations
from tests.unit.trainers.voc_folder import xml

SPLITS = ("train", "val")


def picture(path: Path, colour: int, size: tuple[int, int] = (64, 48)) -> None:
    """Write a picture whose content is its colour's own, large enough to be cut."""
    image = Image.effect_noise(size, 20 + colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert("RGB").save(path)


def coco(root: Path) -> Path:
    """Write a COCO dataset of two images a split and return a file with its dataset section."""
    for colour, split in enumerate(SPLITS):
        content = annotations([(1,), (2, 1)])
        for image in content["images"]:
            image["file_name"] = f"{split}{image['id']}.jpg"
            picture(root / "images" / image["file_name"], 10 * colour + image["id"])
        (root / f"{split}.json").write_text(json.dumps(content))
    splits = "".join(f"  {name}: {{annotations: {name}.json, images: images}}\n" for name in SPLITS)
    file = root / "data.yaml"
    file.write_text(f"dataset:\n  kind: coco\n  root: .\n  classes: [cat, dog]\n{splits}")
    return file


def voc(root: Path) -> Path:
    """Write a VOC dataset of two images a split and return a file with its dataset section."""
    for folder in ("ImageSets/Main", "Annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for colour, split in enumerate(SPLITS):
        names = [f"{split}{number}" for number in (1, 2)]
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(names))
        for number, name in enumerate(names):
            picture(root / "JPEGImages" / f"{name}.jpg", 10 * colour + number)
            objects = [("cat", (2, 3, 20, 30), 0), ("dog", (5, 5, 9, 9), 1 - number)]
            (root / "Annotations" / f"{name}.xml").write_text(xml(objects, file_name=f"{name}.jpg"))
    splits = "".join(f"  {name}: [{{folder: ., set: {name}}}]\n" for name in SPLITS)
    file = root / "data.yaml"
    file.write_text(f"dataset:\n  kind: voc\n  root: .\n  classes: [cat, dog]\n{splits}")
    return file


def edit(change: Callable[[Any], Any], name: str = "train.json") -> Callable[[Path], None]:
    """Return what changes a JSON file's content; ``change`` works in place or returns another content."""

    def apply(root: Path) -> None:
        content = json.loads((root / name).read_text())
        changed = change(content)
        (root / name).write_text(json.dumps(content if changed is None else changed))

    return apply


def put(name: str, content: bytes) -> Callable[[Path], None]:
    """Return what replaces a file's content."""
    return lambda root: (root / name).write_bytes(content) and None


def cut(name: str, share: float) -> Callable[[Path], None]:
    """Return what cuts a file to a share of its length."""
    return lambda root: (
        (root / name).write_bytes((root / name).read_bytes()[: int(share * (root / name).stat().st_size)]) and None
    )
