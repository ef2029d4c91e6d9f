"""Evaluate a detector on a dataset and return COCO metrics, and Pascal VOC's for its datasets."""

import contextlib
import gc
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import collect_results, get_rank, get_world_size

from trainers.coco import CocoData
from trainers.data import evaluation_batches
from trainers.errors import TrialError
from trainers.spec.class_metrics import class_metric
from trainers.voc import VocData
from trainers.voc_metrics import VocFound, VocTruth, voc_metrics

Detection = dict[str, Any]
Metrics = dict[str, float]
STATISTICS = ("bbox_mAP", "bbox_mAP_50", "bbox_mAP_75", "bbox_mAP_s", "bbox_mAP_m", "bbox_mAP_l")


def evaluate(detector: Any, dataset: Any, evaluator: str, alive: Callable[[], None] = lambda: None) -> Metrics | None:
    """Return COCO box metrics of ``detector`` on ``dataset`` as ``coco/bbox_mAP`` and so on, 0 to 1.

    Images are shared among the workers; rank 0 gets the metrics, the others ``None``. A size that no ground-truth box
    has (small, medium, large) has no metric. Each class's AP is ``class_AP/<name>``. ``alive`` is called with every batch.
    VOC datasets also get ``voc/mAP`` and ``voc/AP50``.
    """
    detector.eval()
    shares = list(_detect(detector, dataset, alive))
    # mmengine's "gpu" means: over the process group, whatever its backend; "cpu": through files in the working directory
    images = collect_results(shares, len(dataset), device="gpu") if get_world_size() > 1 else shares
    if images is None:
        return None
    categories = dataset_category_ids(dataset)
    detections = [detection for image, found in images for detection in _to_coco(image, found, categories)]
    metrics = coco_metrics(ground_truth(dataset), detections, evaluator, categories, per_class=True)
    return metrics | _voc_metrics(dataset, dict(images)) if isinstance(dataset, VocData) else metrics


@torch.no_grad()
def _detect(detector: Any, dataset: Any, alive: Callable[[], None]) -> Iterator[tuple[int, VocFound]]:
    """Yield id and detections of each of this worker's images."""
    for batch in evaluation_batches(dataset, rank=get_rank(), world=get_world_size()):
        alive()
        data = detector.data_preprocessor(batch, False)
        for sample in detector.predict(data["inputs"], data["data_samples"], rescale=True):
            found = sample.pred_instances.cpu().numpy()
            yield sample.img_id, VocFound(found.bboxes, found.scores, found.labels)


def _to_coco(image: int, found: VocFound, categories: list[int]) -> list[Detection]:
    boxes = found.boxes.copy()
    boxes[:, 2:] -= boxes[:, :2]
    rows = zip(boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
    return [
        {"image_id": image, "category_id": categories[label], "bbox": box, "score": score} for box, score, label in rows
    ]


def _voc_metrics(dataset: VocData, found: dict[int, VocFound]) -> Metrics:
    records = _records(dataset)
    truths = [_voc_truth(record["instances"]) for record in records]
    return voc_metrics(truths, [found[record["img_id"]] for record in records], len(dataset.metainfo["classes"]))


def _voc_truth(instances: list[dict[str, Any]]) -> VocTruth:
    return VocTruth(
        np.array([item["bbox"] for item in instances], np.float32).reshape(-1, 4),
        np.array([item["bbox_label"] for item in instances], np.int64),
        np.array([item["ignore_flag"] for item in instances], bool),
    )


def dataset_category_ids(dataset: Any) -> list[int]:
    """Return the COCO category id of each label: the file's own, else counted from 1."""
    if isinstance(dataset, CocoData):
        return list(dataset.cat_ids)
    return list(range(1, len(dataset.metainfo["classes"]) + 1))


def ground_truth(dataset: Any) -> dict[str, Any]:
    """Return the dataset's annotations in COCO's JSON form.

    VOC's difficult objects become crowds, the one kind that COCO's evaluation ignores: a detection is then left out
    when it lies half (or whatever the threshold asks) inside such a box.
    """
    if isinstance(dataset, CocoData):
        return dataset.annotations or {}
    records = _records(dataset)
    names = enumerate(dataset.metainfo["classes"], start=1)
    return {
        "images": [{"id": r["img_id"], "width": r["width"], "height": r["height"]} for r in records],
        "categories": [{"id": number, "name": name} for number, name in names],
        "annotations": _annotations(records),
    }


def _records(dataset: Any) -> list[dict[str, Any]]:
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def _annotations(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pairs = [(record["img_id"], instance) for record in records for instance in record["instances"]]
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": instance["bbox_label"] + 1,
            "bbox": (box := _xywh(instance["bbox"])),
            "area": box[2] * box[3],
            "iscrowd": instance["ignore_flag"],
        }
        for number, (image, instance) in enumerate(pairs, start=1)
    ]


def _xywh(box: list[float]) -> list[float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]


def coco_metrics(
    annotations: dict[str, Any],
    detections: list[Detection],
    evaluator: str,
    category_ids: list[int],
    *,
    per_class: bool = False,
) -> Metrics:
    """Return COCO's AP, AP50, AP75 and AP by size (maximum 100 detections an image), 0 to 1.

    ``evaluator`` is ``faster-coco-eval`` or ``pycocotools``: the same statistics up to the last bit (pycocotools adds
    2.2e-16 to the denominator of each precision). Without any detection every metric is 0. ``per_class`` adds the AP of
    each class that has a ground-truth box, as ``class_AP/<name>``.
    """
    with contextlib.redirect_stdout(io.StringIO()), _collector_paused():  # both libraries print tables
        evaluation = _evaluated(annotations, detections, evaluator, category_ids)
    stats = zip(STATISTICS, map(float, evaluation.stats), strict=False)
    metrics = {f"coco/{name}": value for name, value in stats if value >= 0.0}
    return metrics | _class_metrics(evaluation, annotations, category_ids) if per_class else metrics


def _class_metrics(evaluation: Any, annotations: dict[str, Any], category_ids: list[int]) -> Metrics:
    """Return each class's mean of the precisions (thresholds, recalls, classes, areas, numbers of detections)."""
    names = {category["id"]: category["name"] for category in annotations["categories"]}
    precisions = evaluation.eval["precision"][:, :, :, 0, -1]
    found = {}
    for number, category in enumerate(category_ids):
        values = precisions[:, :, number]
        if (values > -1.0).any():
            found[class_metric(names[category])] = float(values[values > -1.0].mean())
    return found


def _evaluated(
    annotations: dict[str, Any], detections: list[Detection], evaluator: str, category_ids: list[int]
) -> Any:
    coco_type, eval_type = _backend(evaluator)
    truth = _index(coco_type, {"info": {}, **annotations})
    found = _index(coco_type, {**truth.dataset, "annotations": [_annotation(*row) for row in enumerate(detections, 1)]})
    evaluation = eval_type(truth, found, "bbox")
    evaluation.params.catIds = category_ids
    for stage in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
        stage()
    return evaluation


def _index(coco_type: Any, dataset: dict[str, Any]) -> Any:
    coco = coco_type()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _annotation(number: int, detection: Detection) -> dict[str, Any]:
    """Return what ``loadRes`` makes of a detection, without the polygon, which boxes are not evaluated by.

    Half of an evaluation's time went into these polygons. Unlike ``loadRes`` this also takes an empty list.
    """
    _, _, width, height = detection["bbox"]
    return {**detection, "id": number, "area": width * height, "iscrowd": 0}


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the garbage collector from looking through millions of records that stay alive until the end."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _backend(evaluator: str) -> tuple[Any, Any]:
    if evaluator == "faster-coco-eval":
        from faster_coco_eval import COCO, COCOeval_faster

        return COCO, COCOeval_faster
    if evaluator == "pycocotools":
        from pycocotools.coco import COCO as ReferenceCOCO
        from pycocotools.cocoeval import COCOeval

        return ReferenceCOCO, COCOeval
    raise TrialError(f"unknown evaluator {evaluator}")
