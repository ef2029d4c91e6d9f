"""Read any COCO or VOC data set and score detections with plain pycocotools: an oracle that is not ours.

It imports nothing of the product, and numbers images, annotations and categories by itself, from 1.
"""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

from PIL import Image, ImageOps
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def read_coco(file: Path, paths: dict[str, Path], classes: tuple[str, ...]) -> dict:
    content = json.loads(file.read_text(encoding="utf-8"))
    labels = {c["id"]: classes.index(c["name"]) + 1 for c in content["categories"] if c["name"] in classes}
    numbers = {image["id"]: n for n, image in enumerate(content["images"], start=1)}
    images = [(paths[image["file_name"]], image["width"], image["height"]) for image in content["images"]]
    mine = [a for a in content["annotations"] if a["category_id"] in labels]
    boxes = [(numbers[a["image_id"]], labels[a["category_id"]], a["bbox"], max(a.get("area") or 0, 0)) for a in mine]
    crowds = [int(bool(a.get("iscrowd") or a.get("ignore"))) for a in mine]
    return _truth(images, [(*box, crowd) for box, crowd in zip(boxes, crowds, strict=True)], classes)


def read_voc(pairs: list[tuple[Path, Path]], classes: tuple[str, ...], first_pixel: int) -> dict:
    images, boxes = [], []
    for number, (xml, file) in enumerate(pairs, start=1):
        root = ET.parse(xml).getroot()
        seen = ImageOps.exif_transpose(Image.open(file)).size  # an image is as large as people see it
        size = [int(root.findtext(f"size/{key}") or 0) or seen[n] for n, key in enumerate(("width", "height"))]
        images.append((file, *size))
        for item in (item for item in root.findall("object") if item.findtext("name") in classes):
            ends = (item.findtext(f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax"))
            x1, y1, x2, y2 = (int(float(end)) - first_pixel for end in ends)
            if _clipped((box := [x1, y1, x2 - x1, y2 - y1]), *size):
                label = classes.index(item.findtext("name")) + 1
                boxes.append((number, label, box, None, int(item.findtext("difficult") or 0)))
    return _truth(images, boxes, classes)


def training_boxes(truth: dict, shortest: int) -> dict[Path, list]:
    """Return (x1, y1, x2, y2, label, crowd) of each image that training uses, clipped to the image."""
    found = {}
    for image in (i for i in truth["images"] if min(i["width"], i["height"]) >= shortest):
        if mine := [a for a in truth["annotations"] if a["image_id"] == image["id"]]:
            large = [(_clipped(a["bbox"], image["width"], image["height"]), a) for a in mine if min(a["bbox"][2:]) >= 1]
            found[image["file"]] = sorted((*box, a["category_id"] - 1, a["iscrowd"]) for box, a in large if box)
    return found


def scores(truth: dict, detections: list[dict], limit: int) -> dict[str, float]:
    """Return AP, AP50, AP75, APs, APm, APl and each class's AP; a mean over nothing is left out."""
    known = COCO()
    known.dataset = truth
    known.createIndex()
    run = COCOeval(known, known.loadRes(detections), "bbox")
    run.params.maxDets = [limit]
    run.evaluate()
    run.accumulate()
    found = run.eval["precision"][..., 0]  # (thresholds, recalls, classes, areas)
    parts = {"AP": found[..., 0], "AP50": found[0, ..., 0], "AP75": found[5, ..., 0]}
    parts |= {f"AP{size}": found[..., n] for n, size in enumerate("sml", start=1)}
    parts |= {f"class {c['name']}": found[:, :, n, 0] for n, c in enumerate(truth["categories"])}
    return {name: float(part[part > -1].mean()) for name, part in parts.items() if (part > -1).any()}


def _truth(images: list, rows: list, classes: tuple[str, ...]) -> dict:
    boxes = [
        {"id": n, "image_id": i, "category_id": c, "bbox": box, "area": area or box[2] * box[3], "iscrowd": crowd}
        for n, (i, c, box, area, crowd) in enumerate(rows, start=1)
    ]
    known = [{"id": n, "file": f.resolve(), "width": w, "height": h} for n, (f, w, h) in enumerate(images, start=1)]
    names = [{"id": n, "name": name} for n, name in enumerate(classes, start=1)]
    return {"info": {}, "images": known, "annotations": boxes, "categories": names}


def _clipped(box: list, width: float, height: float) -> tuple | None:
    x1, y1, x2, y2 = max(box[0], 0), max(box[1], 0), min(box[0] + box[2], width), min(box[1] + box[3], height)
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None
