"""Evaluate a detector on a dataset and return COCO metrics."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dist import collect_results, get_rank, get_world_size

from trainers.data import evaluation_batches
from trainers.errors import TrialError
from trainers.shapes import ShapesData

Detection = dict[str, Any]
Metrics = dict[str, float]
STATISTICS = ("bbox_mAP", "bbox_mAP_50", "bbox_mAP_75", "bbox_mAP_s", "bbox_mAP_m", "bbox_mAP_l")


def evaluate(detector: Any, dataset: Any, evaluator: str) -> Metrics | None:
    """Return COCO box metrics of ``detector`` on ``dataset`` as ``coco/bbox_mAP`` and so on, 0 to 1.

    Images are shared among the workers; rank 0 gets the metrics, the others ``None``. A size that no ground-truth box
    has (small, medium, large) has no metric.
    """
    detector.eval()
    shares = [[found] for found in _detect(detector, dataset)]
    # mmengine's "gpu" means: over the process group, whatever its backend; "cpu": through files in the working directory
    images = collect_results(shares, len(dataset), device="gpu") if get_world_size() > 1 else shares
    if images is None:
        return None
    detections = [detection for image in images for detection in image[0]]
    return coco_metrics(ground_truth(dataset), detections, evaluator, dataset_category_ids(dataset))


@torch.no_grad()
def _detect(detector: Any, dataset: Any) -> Iterator[list[Detection]]:
    """Yield the detections of each of this worker's images."""
    categories = dataset_category_ids(dataset)
    for batch in evaluation_batches(dataset, rank=get_rank(), world=get_world_size()):
        data = detector.data_preprocessor(batch, False)
        for sample in detector.predict(data["inputs"], data["data_samples"], rescale=True):
            yield _to_coco(sample, categories)


def _to_coco(sample: Any, categories: list[int]) -> list[Detection]:
    found = sample.pred_instances.cpu().numpy()
    boxes = found.bboxes.copy()
    boxes[:, 2:] -= boxes[:, :2]
    rows = zip(boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
    return [
        {"image_id": sample.img_id, "category_id": categories[label], "bbox": box, "score": score}
        for box, score, label in rows
    ]


def dataset_category_ids(dataset: Any) -> list[int]:
    """Return the COCO category id of each label."""
    if isinstance(dataset, ShapesData):
        return list(range(1, len(dataset.metainfo["classes"]) + 1))
    return list(dataset.cat_ids)


def ground_truth(dataset: Any) -> dict[str, Any]:
    """Return the dataset's annotations in COCO's JSON form."""
    if not isinstance(dataset, ShapesData):
        content: dict[str, Any] = dataset.annotations
        return content
    records = [dataset.get_data_info(index) for index in range(len(dataset))]
    names = enumerate(dataset.metainfo["classes"], start=1)
    return {
        "images": [{"id": r["img_id"], "width": r["width"], "height": r["height"]} for r in records],
        "categories": [{"id": number, "name": name} for number, name in names],
        "annotations": _annotations(records),
    }


def _annotations(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pairs = [(record["img_id"], instance) for record in records for instance in record["instances"]]
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": instance["bbox_label"] + 1,
            "bbox": (box := _xywh(instance["bbox"])),
            "area": box[2] * box[3],
            "iscrowd": 0,
        }
        for number, (image, instance) in enumerate(pairs, start=1)
    ]


def _xywh(box: list[float]) -> list[float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]


def coco_metrics(
    annotations: dict[str, Any], detections: list[Detection], evaluator: str, category_ids: list[int]
) -> Metrics:
    """Return COCO's AP, AP50, AP75 and AP by size (maximum 100 detections an image), 0 to 1.

    ``evaluator`` is ``faster-coco-eval`` or ``pycocotools``: the same statistics up to the last bit (pycocotools adds
    2.2e-16 to the denominator of each precision). Without any detection every metric is 0.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # both libraries print tables
        stats = _statistics(annotations, detections, evaluator, category_ids)
    return {f"coco/{name}": value for name, value in zip(STATISTICS, stats, strict=True) if value >= 0.0}


def _statistics(
    annotations: dict[str, Any], detections: list[Detection], evaluator: str, category_ids: list[int]
) -> list[float]:
    coco_type, eval_type = _backend(evaluator)
    truth = coco_type()
    truth.dataset = {"info": {}, **annotations}
    truth.createIndex()
    evaluation = eval_type(truth, truth.loadRes(detections) if detections else _nothing(coco_type, truth), "bbox")
    evaluation.params.catIds = category_ids
    for stage in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
        stage()
    return [float(value) for value in evaluation.stats[: len(STATISTICS)]]


def _nothing(coco_type: Any, truth: Any) -> Any:
    """Return an empty result set; ``loadRes`` refuses one in both libraries."""
    empty = coco_type()
    empty.dataset = {"info": {}, "images": truth.dataset["images"], "annotations": []}
    empty.dataset["categories"] = truth.dataset["categories"]
    empty.createIndex()
    return empty


def _backend(evaluator: str) -> tuple[Any, Any]:
    if evaluator == "faster-coco-eval":
        from faster_coco_eval import COCO, COCOeval_faster

        return COCO, COCOeval_faster
    if evaluator == "pycocotools":
        from pycocotools.coco import COCO as ReferenceCOCO
        from pycocotools.cocoeval import COCOeval

        return ReferenceCOCO, COCOeval
    raise TrialError(f"unknown evaluator {evaluator}")
