"""Draw a handful of images in the layouts of COCO and Pascal VOC, enough to prove that a study runs."""

import json
from pathlib import Path

from trainers.schema import CocoDataset, VocDataset, class_names
from trainers.schema.atomic import write_text
from trainers.schema.dataset import coco_parts
from trainers.schema.voc_layout import standard_list

TRAIN, VAL = 4, 2  # images
SIZE = (128, 96)
BOXES = ((2, 2, 126, 94), (10, 8, 60, 70), (90, 5, 110, 25))  # (x1, y1, x2, y2) in pixels: of each of COCO's sizes
Box = tuple[int, int, int, int]


def smoke_roots(folder: Path) -> dict[str, Path]:
    """Return where the drawn datasets are or would be, by kind."""
    return {"coco": folder / "smoke-coco", "voc": folder / "smoke-voc"}


def write_smoke_data(folder: Path) -> None:
    """Draw both datasets below ``folder``; every pixel is the same on every machine."""
    roots = smoke_roots(folder)
    _write_coco(roots["coco"])
    _write_voc(roots["voc"])


def _write_coco(root: Path) -> None:
    dataset = CocoDataset(kind="coco", root=str(root))
    names = class_names(dataset)
    first = 1
    for split, count in ((coco_parts(dataset, "train")[0], TRAIN), (coco_parts(dataset, "val")[0], VAL)):
        images = list(range(first, first + count))
        first += count
        for image in images:
            _draw(root / split.images / f"{image:012d}.jpg", image)
        _write(root / split.annotations, json.dumps(_coco(images, names)))


def _coco(images: list[int], names: tuple[str, ...]) -> dict[str, object]:
    width, height = SIZE
    found = [(image, place, box) for image in images for place, box in enumerate(BOXES)]
    return {
        "images": [{"id": i, "file_name": f"{i:012d}.jpg", "width": width, "height": height} for i in images],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
        "annotations": [
            {
                "id": 1 + image * len(BOXES) + place,
                "image_id": image,
                "category_id": 1 + (image + place) % len(names),
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "area": (box[2] - box[0]) * (box[3] - box[1]),
                "iscrowd": 0,
            }
            for image, place, box in found
        ],
    }


def _write_voc(root: Path) -> None:
    dataset = VocDataset(kind="voc", root=str(root))
    names = class_names(dataset)
    first = 1
    for part, count in (*((part, TRAIN) for part in dataset.train), *((part, VAL) for part in dataset.val)):
        images = list(range(first, first + count))
        first += count
        for image in images:
            _draw(root / part.folder / part.images / f"{image:06d}.jpg", image)
            _write(root / part.folder / part.annotations / f"{image:06d}.xml", _xml(image, names))
        _write(standard_list(root, part), "".join(f"{image:06d}\n" for image in images))


def _xml(image: int, names: tuple[str, ...]) -> str:
    objects = "".join(_object(names[(image + place) % len(names)], box) for place, box in enumerate(BOXES))
    size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
    return f"<annotation><filename>{image:06d}.jpg</filename>{size}{objects}</annotation>\n"


def _object(name: str, box: Box) -> str:
    corners = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    inner = "".join(f"<{key}>{value + 1}</{key}>" for key, value in corners)
    return f"<object><name>{name}</name><difficult>0</difficult><bndbox>{inner}</bndbox></object>"


def _draw(path: Path, number: int) -> None:
    if path.exists():
        return
    from PIL import Image, ImageDraw  # a plan need not load it

    image = Image.new("RGB", SIZE, (40 + 20 * number % 160, 90, 120))
    pen = ImageDraw.Draw(image)
    for place, box in enumerate(BOXES):
        pen.rectangle(box, fill=(200 - 30 * place, 37 * number % 256, 80 * place))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=90)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_text(path, text)
