"""The area below a curve of precision over recall is the AP that is shown."""

from pathlib import Path
from statistics import fmean

import pytest
import torch

from tests.unit.trainers.evaluation.test_evaluate import CLASSES, EVALUATORS, IDS, detect, synthetic_truth
from tests.unit.trainers.predictions.test_predict import job, subject
from trainers.data.datasets import build_dataset
from trainers.evaluation.evaluate import coco_metrics, coco_precisions, evaluate
from trainers.predictions.curves import precision_curves
from trainers.predictions.detect import load_subject
from trainers.predictions.predict import predict
from trainers.schema.class_metrics import class_metric
from trainers.schema.predictions import Limits
from trainers.schema.split_errors import Confusions, PrecisionCurves

ROUNDED = 5.1e-7  # six digits
ROUNDED_CLASS = 5.1e-5  # four


@EVALUATORS
@pytest.mark.parametrize("seed", range(3))
def test_areas_are_ap_ap50_and_ap75_of_all_classes_and_of_each(evaluator: str, seed: int) -> None:
    truth = synthetic_truth()
    found = detect(truth, seed)
    metrics = coco_metrics(truth, found, evaluator, IDS, per_class=True)
    curves = precision_curves("t", 12, coco_precisions(truth, found, evaluator, IDS))
    assert curves.whole is not None
    assert fmean(curves.whole.mean) == pytest.approx(metrics["coco/bbox_mAP"], abs=ROUNDED)
    assert fmean(curves.whole.iou50) == pytest.approx(metrics["coco/bbox_mAP_50"], abs=ROUNDED)
    assert fmean(curves.whole.iou75) == pytest.approx(metrics["coco/bbox_mAP_75"], abs=ROUNDED)
    assert len(set(curves.whole.iou50)) > 5
    for name, curve in zip("abc", curves.classes, strict=True):
        assert curve is not None
        assert fmean(curve.mean) == pytest.approx(metrics[class_metric(name)], abs=ROUNDED_CLASS)


def test_a_class_without_objects_has_no_curve_and_does_not_count() -> None:
    truth = synthetic_truth()
    truth["annotations"] = [item for item in truth["annotations"] if item["category_id"] != 2]
    found = detect(truth)
    curves = precision_curves("t", 12, coco_precisions(truth, found, "pycocotools", IDS))
    assert [curve is None for curve in curves.classes] == [False, True, False]
    assert curves.whole is not None
    metrics = coco_metrics(truth, found, "pycocotools", IDS)
    assert fmean(curves.whole.iou50) == pytest.approx(metrics["coco/bbox_mAP_50"], abs=ROUNDED)


def test_without_any_object_there_is_no_curve() -> None:
    truth = {**synthetic_truth(), "annotations": []}
    curves = precision_curves("t", 12, coco_precisions(truth, detect(synthetic_truth()), "pycocotools", IDS))
    assert (curves.whole, curves.classes) == (None, (None,) * CLASSES)


def test_predictions_hold_the_curves_of_the_whole_split_and_the_area_is_the_trials_ap(tmp_path: Path) -> None:
    one = subject(tmp_path, "aaa")
    predict(job(tmp_path, one, limits=Limits(images=2)))
    kept = tmp_path / "out" / "trials" / "aaa"
    curves = PrecisionCurves.model_validate_json((kept / "curves.json").read_text())
    counts = Confusions.model_validate_json((kept / "confusions.json").read_text())
    data = build_dataset(one.spec.dataset, "val")
    metrics = evaluate(load_subject(one, torch.device("cpu")), data, one.spec.dataset.evaluator)
    assert metrics is not None
    assert curves.whole is not None
    assert metrics["coco/bbox_mAP_50"] > 0.0
    assert fmean(curves.whole.mean) == pytest.approx(metrics["coco/bbox_mAP"], abs=ROUNDED)
    assert fmean(curves.whole.iou50) == pytest.approx(metrics["coco/bbox_mAP_50"], abs=ROUNDED)
    assert curves.images == counts.images == len(data) == 8
    objects = sum(not item["ignore_flag"] for n in range(8) for item in data.get_data_info(n)["instances"])
    background = len(curves.classes)
    rows = [numbers[0] for truth, _, numbers in counts.cells[0] if truth != background]
    assert sum(rows) == objects


def test_curves_can_be_left_out(tmp_path: Path) -> None:
    predict(job(tmp_path, subject(tmp_path, "aaa"), limits=Limits(images=2), curves=False))
    kept = {path.name for path in (tmp_path / "out" / "trials" / "aaa").iterdir()}
    assert not {"curves.json", "confusions.json"} & kept
    assert "scores.json" in kept
