"""Compare the evaluator with pycocotools on a validation set of COCO's size."""

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.benchmarks.batch import CLASSES, OBJECTS
from tests.benchmarks.figure import Measured, Setting
from tests.benchmarks.pairs import interleave, median
from trainers.evaluation.evaluate import STATISTICS, coco_metrics

IMAGES, DETECTIONS = 5000, 100
SIDE = 640.0


def against_pycocotools(setting: Setting) -> Measured:
    """Compare the time from detections to statistics, which have to be the same."""
    truth, found = draw(IMAGES, DETECTIONS)
    categories = [category["id"] for category in truth["categories"]]
    statistics: dict[str, list[float]] = {}

    def ours() -> None:
        metrics = coco_metrics(truth, found, "faster-coco-eval", categories)
        statistics["ours"] = [metrics[f"coco/{name}"] for name in STATISTICS]

    def theirs() -> None:
        statistics["theirs"] = pycocotools(truth, found)

    times = interleave(ours, theirs, setting.pairs, setting.clock, warm_up=0)
    require_identical(statistics)
    seconds = " and ".join(f"{median(values):.1f} s" for values in (times.ours, times.theirs))
    return Measured(times.ratios, f"{IMAGES} images of {DETECTIONS} detections, {seconds}, {len(times.ours)} pairs")


def pycocotools(truth: dict[str, Any], found: list[dict[str, Any]]) -> list[float]:
    """Evaluate as pycocotools' documentation does."""
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = {"info": {}, **truth}
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats[: len(STATISTICS)]]


def require_identical(statistics: dict[str, list[float]]) -> None:
    """Refuse to compare the speed of two different evaluations; pycocotools adds 2.2e-16 to each precision's divisor."""
    if not np.allclose(statistics["ours"], statistics["theirs"], rtol=0, atol=1e-15):
        raise AssertionError(f"the statistics differ: {statistics}")


def draw(images: int, detections: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return ground truth in COCO's JSON form, and detections half of which lie near an object of their class."""
    rng = np.random.default_rng(0)
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image in range(1, images + 1):
        boxes = _boxes(rng, rng.poisson(OBJECTS) + 1)
        labels = rng.integers(1, CLASSES + 1, len(boxes))
        truth += [
            _row(image, box, label) | {"id": len(truth) + number, "area": box[2] * box[3], "iscrowd": 0}
            for number, (box, label) in enumerate(zip(boxes.tolist(), labels.tolist(), strict=True), start=1)
        ]
        chosen = rng.integers(0, len(boxes), detections)
        near = boxes[chosen] + rng.normal(0, 8, (detections, 4))
        hit = rng.random(detections) < 0.5
        shown = np.where(hit[:, None], np.maximum(near, 1), _boxes(rng, detections))
        classes = np.where(hit, labels[chosen], rng.integers(1, CLASSES + 1, detections))
        rows = zip(shown.tolist(), classes.tolist(), rng.random(detections).tolist(), strict=True)
        found += [_row(image, box, label) | {"score": score} for box, label, score in rows]
    categories = [{"id": number, "name": f"class {number}"} for number in range(1, CLASSES + 1)]
    pictures = [{"id": number, "width": SIDE, "height": SIDE} for number in range(1, images + 1)]
    return {"images": pictures, "categories": categories, "annotations": truth}, found


def _row(image: int, box: list[float], label: int) -> dict[str, Any]:
    return {"image_id": image, "bbox": box, "category_id": label}


def _boxes(rng: np.random.Generator, count: int) -> Any:
    """Return boxes of all sizes, (count, 4), as (x, y, width, height)."""
    sides = np.exp(rng.uniform(np.log(8), np.log(400), (count, 2)))
    return np.concatenate([rng.random((count, 2)) * (SIDE - sides), sides], 1)
