"""Evaluate a detector on a dataset and return COCO metrics, and Pascal VOC's for its datasets."""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import collect_results, get_rank, get_world_size
from numpy.typing import NDArray

from trainers.data.loaders import evaluation_batches
from trainers.data.voc import VocData
from trainers.errors import TrialError
from trainers.evaluation.voc_metrics import VocFound, VocTruth, voc_metrics
from trainers.schema.annotations.as_coco import categories_of, numbered
from trainers.schema.class_metrics import class_metric
from trainers.schema.collector import collector_paused
from trainers.schema.image_pipeline import COCO_DETECTIONS

Detection = dict[str, Any]
Metrics = dict[str, float]
Found = tuple[int | str, VocFound]  # an image's id, and the detections in it
Precisions = NDArray[np.float64]
ALL = slice(None)
PAIRS = 400_000  # of an image and a class: the evaluators hold a quarter of a kilobyte for each
# Which precisions (thresholds .5, .55, ..., recalls, classes, areas: all, small, medium, large) each is the mean of.
STATISTICS: dict[str, Any] = {
    "bbox_mAP": (ALL, ALL, ALL, 0),
    "bbox_mAP_50": (0, ALL, ALL, 0),
    "bbox_mAP_75": (5, ALL, ALL, 0),
    "bbox_mAP_s": (ALL, ALL, ALL, 1),
    "bbox_mAP_m": (ALL, ALL, ALL, 2),
    "bbox_mAP_l": (ALL, ALL, ALL, 3),
}


def evaluate(
    detector: Any,
    dataset: Any,
    evaluator: str,
    alive: Callable[[], None] = lambda: None,
    *,
    max_detections: int = COCO_DETECTIONS,
    batches: Iterable[Any] | None = None,
) -> Metrics | None:
    """Return COCO box metrics of ``detector`` on ``dataset`` as ``coco/bbox_mAP`` and so on, 0 to 1.

    Images are shared among the workers; rank 0 gets the metrics, the others ``None``. A size that no ground-truth box
    has (small, medium, large) has no metric. Each class's AP is ``class_AP/<name>``. ``alive`` is called with every batch.
    VOC datasets also get ``voc/mAP`` and ``voc/AP50``. Of each class, ``max_detections`` count in an image. ``batches``
    reads this worker's share (by default this process does, see ``trainers.data.loaders.EvaluationStream``).
    """
    own = evaluation_batches(dataset, rank=get_rank(), world=get_world_size()) if batches is None else batches
    shares = list(detections(detector, own, alive))
    # mmengine's "gpu" means: over the process group, whatever its backend; "cpu": through files in the working directory
    images = collect_results(shares, len(dataset), device="gpu") if get_world_size() > 1 else shares
    if images is None:
        return None
    truth = ground_truth(dataset)
    metrics = coco_metrics(
        truth, in_coco_form(dataset, images), evaluator, _ids(truth), per_class=True, max_detections=max_detections
    )
    return metrics | _voc_metrics(dataset, dict(images)) if isinstance(dataset, VocData) else metrics


def precisions_of(dataset: Any, images: Iterable[Found], evaluator: str, max_detections: int) -> Precisions:
    """Return the precisions that ``evaluate``'s metrics are the means of, see ``coco_precisions``, classes in their order."""
    truth = ground_truth(dataset)
    return coco_precisions(truth, in_coco_form(dataset, images), evaluator, _ids(truth), max_detections)


@torch.no_grad()
def detections(detector: Any, batches: Iterable[Any], alive: Callable[[], None] = lambda: None) -> Iterator[Found]:
    """Yield id and detections of each image of ``batches``."""
    detector.eval()
    for batch in batches:
        alive()
        data = detector.data_preprocessor(batch, False)
        for sample in detector.predict(data["inputs"], data["data_samples"], rescale=True):
            found = sample.pred_instances.cpu().numpy()
            yield sample.img_id, VocFound(found.bboxes, found.scores, found.labels)


def in_coco_form(dataset: Any, images: Iterable[Found]) -> Iterator[Detection]:
    """Yield the detections in a dataset's images with the numbers that ``ground_truth`` gives to images and classes."""
    numbers = numbered([record["img_id"] for record in _records(dataset)])
    for image, found in images:
        yield from _to_coco(numbers[image], found)


def _ids(truth: dict[str, Any]) -> list[int]:
    return [category["id"] for category in truth["categories"]]


def _to_coco(image: int, found: VocFound) -> list[Detection]:
    boxes = found.boxes.copy()
    boxes[:, 2:] -= boxes[:, :2]
    rows = zip(boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
    return [{"image_id": image, "category_id": label + 1, "bbox": box, "score": score} for box, score, label in rows]


def _voc_metrics(dataset: VocData, found: dict[int | str, VocFound]) -> Metrics:
    records = _records(dataset)
    truths = [_voc_truth(record["instances"]) for record in records]
    return voc_metrics(truths, [found[record["img_id"]] for record in records], len(dataset.metainfo["classes"]))


def _voc_truth(instances: list[dict[str, Any]]) -> VocTruth:
    return VocTruth(
        np.array([item["bbox"] for item in instances], np.float32).reshape(-1, 4),
        np.array([item["bbox_label"] for item in instances], np.int64),
        np.array([item["ignore_flag"] for item in instances], bool),
    )


def ground_truth(dataset: Any) -> dict[str, Any]:
    """Return the dataset's annotations in COCO's JSON form, with numbers of our own.

    The evaluators take annotation id 0 for "unmatched" and know no text: images are numbered from 1 in the order of
    ``numbered``, annotations and classes from 1 in theirs. Objects to be ignored (crowds, VOC's difficult ones, those
    marked ``ignore``) become crowds, the one kind that COCO's evaluation ignores: a detection is then left out when it
    lies half (or the threshold's share) inside such a box.
    """
    records = _records(dataset)
    numbers = numbered([record["img_id"] for record in records])
    return {
        "images": [{"id": numbers[r["img_id"]], "width": r["width"], "height": r["height"]} for r in records],
        "categories": categories_of(dataset.metainfo["classes"]),
        "annotations": _annotations(records, numbers),
    }


def _records(dataset: Any) -> list[dict[str, Any]]:
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def _annotations(records: list[dict[str, Any]], numbers: dict[int | str, int]) -> list[dict[str, Any]]:
    pairs = [(numbers[record["img_id"]], instance) for record in records for instance in record["instances"]]
    return [_annotation_of(number, *pair) for number, pair in enumerate(pairs, start=1)]


def _annotation_of(number: int, image: int, instance: dict[str, Any]) -> dict[str, Any]:
    box = list(instance.get("xywh") or _xywh(instance["bbox"]))
    return {
        "id": number,
        "image_id": image,
        "category_id": instance["bbox_label"] + 1,
        "bbox": box,
        "area": instance.get("area", box[2] * box[3]),
        "iscrowd": instance["ignore_flag"],
    }


def _xywh(box: list[float]) -> list[float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]


def coco_metrics(
    annotations: dict[str, Any],
    detections: Iterable[Detection],
    evaluator: str,
    category_ids: list[int],
    *,
    per_class: bool = False,
    max_detections: int = COCO_DETECTIONS,
) -> Metrics:
    """Return COCO's AP, AP50, AP75 and AP by size, 0 to 1; of each class, ``max_detections`` count in an image.

    ``evaluator`` is ``faster-coco-eval`` or ``pycocotools``: the same statistics up to the last bit (pycocotools adds
    2.2e-16 to the denominator of each precision). Without any detection every metric is 0. ``per_class`` adds the AP of
    each class that has a ground-truth box, as ``class_AP/<name>``.
    """
    precisions = coco_precisions(annotations, detections, evaluator, category_ids, max_detections)
    found = {f"coco/{name}": _mean(precisions[part]) for name, part in STATISTICS.items()}
    metrics = {name: value for name, value in found.items() if value is not None}
    return metrics | _class_metrics(precisions, annotations, category_ids) if per_class else metrics


def coco_precisions(
    annotations: dict[str, Any],
    detections: Iterable[Detection],
    evaluator: str,
    category_ids: list[int],
    max_detections: int = COCO_DETECTIONS,
) -> Precisions:
    """Return COCO's precisions, float64 (thresholds, recalls, classes, areas), 0 to 1.

    Thresholds of the IoU are .5, .55, ..., .95, recalls 0, .01, ..., 1, areas all, small, medium and large; classes come in
    the order of their ids. -1 stands where a class has no ground-truth box of an area.
    """
    groups = _groups(category_ids, len(annotations["images"]))
    with contextlib.redirect_stdout(io.StringIO()), collector_paused():  # both libraries print tables
        found = [_annotation(*row) for row in enumerate(detections, 1)]
        parts = [
            _group_precisions({**annotations, "annotations": truth}, among, evaluator, group, max_detections)
            for group, truth, among in zip(
                groups, *(_divided(of, groups) for of in (annotations["annotations"], found)), strict=True
            )
        ]
    return np.concatenate(parts, axis=2)


def _groups(category_ids: list[int], images: int) -> list[list[int]]:
    """Return the classes in order, as many at once as make ``PAIRS`` with the images: each counts for itself."""
    ids, size = sorted(category_ids), max(1, PAIRS // max(1, images))  # the evaluators sort them, too
    return [ids[first : first + size] for first in range(0, len(ids), size)]


def _divided(annotations: list[dict[str, Any]], groups: list[list[int]]) -> list[list[dict[str, Any]]]:
    """Return the annotations of each group's classes, in their order."""
    if len(groups) == 1:
        return [annotations]
    places = {category: place for place, group in enumerate(groups) for category in group}
    found: list[list[dict[str, Any]]] = [[] for _ in groups]
    for annotation in annotations:
        if (place := places.get(annotation["category_id"])) is not None:
            found[place].append(annotation)
    return found


def _mean(precisions: Any) -> float | None:
    """Return the mean over entries with a ground-truth box, ``None`` if there are none."""
    known = precisions[precisions > -1.0]
    return float(known.mean()) if len(known) else None


def _class_metrics(precisions: Any, annotations: dict[str, Any], category_ids: list[int]) -> Metrics:
    """Return each class's mean of the precisions (thresholds, recalls, classes, areas)."""
    names = {category["id"]: category["name"] for category in annotations["categories"]}
    found = {}
    for number, category in enumerate(sorted(category_ids)):  # the evaluators sort them, too
        value = _mean(precisions[:, :, number, 0])
        if value is not None:
            found[class_metric(names[category])] = value
    return found


def _group_precisions(
    truth: dict[str, Any], found: list[dict[str, Any]], evaluator: str, category_ids: list[int], max_detections: int
) -> Precisions:
    coco_type, eval_type = _backend(evaluator)
    indexed = _index(coco_type, {"info": {}, **truth})
    evaluation = eval_type(indexed, _index(coco_type, {**indexed.dataset, "annotations": found}), "bbox")
    evaluation.params.catIds = category_ids
    evaluation.params.maxDets = [max_detections]
    for stage in (evaluation.evaluate, evaluation.accumulate):
        stage()
    precisions: Precisions = evaluation.eval["precision"][..., -1]  # pycocotools' own summary knows 100 detections only
    return precisions


def _index(coco_type: Any, dataset: dict[str, Any]) -> Any:
    coco = coco_type()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _annotation(number: int, detection: Detection) -> dict[str, Any]:
    """Return a detection as ``loadRes`` would, without the polygon, which box evaluation ignores.

    Half of an evaluation's time went into these polygons. Unlike ``loadRes`` this also takes an empty list.
    """
    _, _, width, height = detection["bbox"]
    return {**detection, "id": number, "area": width * height, "iscrowd": 0}


def _backend(evaluator: str) -> tuple[Any, Any]:
    if evaluator == "faster-coco-eval":
        from faster_coco_eval import COCO, COCOeval_faster

        return COCO, COCOeval_faster
    if evaluator == "pycocotools":
        from pycocotools.coco import COCO as ReferenceCOCO
        from pycocotools.cocoeval import COCOeval

        return ReferenceCOCO, COCOeval
    raise TrialError(f"unknown evaluator {evaluator}")
