"""Compare our COCO metrics with pycocotools, with mmdet's own metric, and with what is known beforehand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric

from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.tiny import dataset, detector
from trainers.data.datasets import build_dataset
from trainers.detectors.detector import build_empty
from trainers.errors import TrialError
from trainers.evaluation.evaluate import Detection, coco_metrics, coco_precisions, evaluate, ground_truth
from trainers.schema import class_count
from trainers.schema.class_metrics import class_of_metric

IMAGES, CLASSES = 12, 3
SIDES = (8.0, 20.0, 40.0, 120.0)  # small, small, medium, large
EVALUATORS = pytest.mark.parametrize("evaluator", ["faster-coco-eval", "pycocotools"])
IDS = [1, 2, 3]
NAMES = ("bbox_mAP", "bbox_mAP_50", "bbox_mAP_75", "bbox_mAP_s", "bbox_mAP_m", "bbox_mAP_l")


def synthetic_truth(sides: tuple[float, ...] = SIDES) -> dict[str, Any]:
    """Make images with a handful of boxes each; one box in ten stands for a crowd."""
    rng = np.random.default_rng(3)
    annotations: list[dict[str, Any]] = []
    for image in range(1, IMAGES + 1):
        for _ in range(int(rng.integers(1, 6))):
            side = float(rng.choice(sides))
            x, y = rng.uniform(0.0, 200.0 - side, 2).tolist()
            label = int(rng.integers(1, CLASSES + 1))
            box = {"bbox": [x, y, side, side * 0.8], "area": side * side * 0.8, "iscrowd": int(rng.random() < 0.1)}
            annotations.append({"id": len(annotations) + 1, "image_id": image, "category_id": label, **box})
    images = [{"id": n, "width": 200, "height": 200, "file_name": f"{n}.png"} for n in range(1, IMAGES + 1)]
    categories = [{"id": n, "name": name} for n, name in enumerate("abc", start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def detect(truth: dict[str, Any], seed: int = 0) -> list[Detection]:
    """Detect most objects, some of them shifted, some twice or as another class, and a few that are not there."""
    rng = np.random.default_rng(seed)
    found: list[Detection] = []
    for annotation in truth["annotations"]:
        for _ in range(int(rng.integers(0, 4))):
            box = np.asarray(annotation["bbox"]) * rng.normal(1.0, 0.08, 4)
            category = annotation["category_id"] if rng.random() < 0.8 else int(rng.integers(1, CLASSES + 1))
            score = round(float(rng.random()), 2)  # equal scores occur
            found.append(
                {"image_id": annotation["image_id"], "category_id": category, "bbox": box.tolist(), "score": score}
            )
    return found


def exact(truth: dict[str, Any]) -> list[Detection]:
    keys = ("image_id", "category_id", "bbox")
    return [{**{key: a[key] for key in keys}, "score": 0.9} for a in truth["annotations"] if not a["iscrowd"]]


# ------------------------------------------------------------------------------------------------- the two libraries


@pytest.mark.parametrize("seed", range(4))
def test_both_libraries_agree_up_to_the_last_bit(seed: int) -> None:
    truth = synthetic_truth()
    fast, reference = (
        coco_metrics(truth, detect(truth, seed), name, IDS) for name in ("faster-coco-eval", "pycocotools")
    )
    assert fast == pytest.approx(reference, rel=0.0, abs=1e-14)  # one guards against 0 / 0 by adding 2.2e-16
    assert 0.05 < fast["coco/bbox_mAP"] < 0.95
    assert set(fast) == {f"coco/{name}" for name in NAMES}


@EVALUATORS
def test_a_classes_ap_is_that_of_an_evaluation_of_the_class_alone(evaluator: str) -> None:
    truth = synthetic_truth()
    for category, name in zip(truth["categories"], ("红", "C+", "C#"), strict=True):
        category["name"] = name
    found = coco_metrics(truth, detect(truth), evaluator, IDS, per_class=True)
    alone = {c["name"]: coco_metrics(truth, detect(truth), evaluator, [c["id"]]) for c in truth["categories"]}
    expected = {name: metrics["coco/bbox_mAP"] for name, metrics in alone.items()}
    classes = {class_of_metric(name): value for name, value in found.items() if name.startswith("class_AP/")}
    assert classes == pytest.approx(expected, abs=1e-14)
    assert found["coco/bbox_mAP"] == pytest.approx(sum(classes.values()) / CLASSES)


@EVALUATORS
@pytest.mark.parametrize("pairs", [1, 2 * IMAGES])
def test_classes_in_several_groups_have_the_same_precisions(
    evaluator: str, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = synthetic_truth()
    found = detect(truth)
    for ids in (IDS, [3, 1]):  # the second leaves a class out
        whole = coco_precisions(truth, found, evaluator, ids)
        with monkeypatch.context() as patch:
            patch.setattr("trainers.evaluation.evaluate.PAIRS", pairs)
            np.testing.assert_array_equal(coco_precisions(truth, found, evaluator, ids), whole)
        assert whole.shape[2] == len(ids)


@EVALUATORS
def test_a_class_without_objects_has_no_ap(evaluator: str) -> None:
    truth = synthetic_truth()
    truth["annotations"] = [one for one in truth["annotations"] if one["category_id"] != 2]
    found = coco_metrics(truth, detect(truth), evaluator, IDS, per_class=True)
    assert [name for name in found if name.startswith("class_AP/")] == ["class_AP/a", "class_AP/c"]


def test_both_agree_on_a_detector_of_ours() -> None:
    spec = dataset()
    model, data = build_empty(detector(), class_count(spec)), build_dataset(spec, "val")
    fast, reference = (evaluate(model, data, name) for name in ("faster-coco-eval", "pycocotools"))
    assert fast is not None
    assert fast == pytest.approx(reference, rel=0.0, abs=1e-14)
    assert fast["coco/bbox_mAP_50"] > 0.0


@EVALUATORS
def test_mmdets_metric_agrees(evaluator: str, tmp_path: Path) -> None:
    truth = synthetic_truth()
    detections = detect(truth)
    (tmp_path / "truth.json").write_text(json.dumps({"info": {}, **truth}))
    metric = CocoMetric(ann_file=str(tmp_path / "truth.json"))
    metric.dataset_meta = {"classes": ("a", "b", "c")}
    metric.process({}, [_as_mmdet_sample(image, detections) for image in range(1, IMAGES + 1)])
    theirs = metric.evaluate(IMAGES)
    ours = coco_metrics(truth, detections, evaluator, IDS)
    assert {name: round(value, 3) for name, value in ours.items()} == theirs  # mmdet rounds


def _as_mmdet_sample(image: int, detections: list[Detection]) -> dict[str, Any]:
    mine = [detection for detection in detections if detection["image_id"] == image]
    xywh = torch.tensor([detection["bbox"] for detection in mine], dtype=torch.float64).reshape(-1, 4)
    xyxy = torch.cat([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], dim=1)
    scores = torch.tensor([detection["score"] for detection in mine], dtype=torch.float64)
    labels = torch.tensor([detection["category_id"] - 1 for detection in mine], dtype=torch.int64)
    instances = {"bboxes": xyxy, "scores": scores, "labels": labels}
    return {"img_id": image, "ori_shape": (200, 200), "pred_instances": instances}


# ------------------------------------------------------------------------------------------------- known beforehand


@EVALUATORS
def test_perfect_detections_have_an_ap_of_one(evaluator: str) -> None:
    truth = synthetic_truth()
    assert coco_metrics(truth, exact(truth), evaluator, IDS) == {f"coco/{name}": pytest.approx(1.0) for name in NAMES}


@EVALUATORS
def test_no_detections_have_an_ap_of_zero(evaluator: str) -> None:
    assert coco_metrics(synthetic_truth(), [], evaluator, IDS) == {f"coco/{name}": 0.0 for name in NAMES}


@EVALUATORS
def test_a_size_without_objects_has_no_metric(evaluator: str) -> None:
    truth = synthetic_truth(sides=(8.0, 120.0))
    found = coco_metrics(truth, detect(truth), evaluator, IDS)
    assert set(found) == {f"coco/{name}" for name in NAMES if name != "bbox_mAP_m"}


@EVALUATORS
def test_images_without_any_object_have_no_metric(evaluator: str) -> None:
    truth = {**synthetic_truth(), "annotations": []}
    assert coco_metrics(truth, detect(synthetic_truth()), evaluator, IDS) == {}


@EVALUATORS
def test_a_class_that_the_study_leaves_out_does_not_count(evaluator: str) -> None:
    truth = synthetic_truth()
    detections = [found for found in exact(truth) if found["category_id"] != 2]
    assert coco_metrics(truth, detections, evaluator, [1, 3])["coco/bbox_mAP"] == pytest.approx(1.0)
    assert coco_metrics(truth, detections, evaluator, IDS)["coco/bbox_mAP"] == pytest.approx(2 / 3)


@EVALUATORS
def test_the_truth_can_be_used_again(evaluator: str) -> None:
    truth = synthetic_truth()
    first = coco_metrics(truth, detect(truth), evaluator, IDS)
    coco_metrics(truth, detect(truth, seed=1), evaluator, IDS)
    assert coco_metrics(truth, detect(truth), evaluator, IDS) == first


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    truth = synthetic_truth()
    for evaluator in ("faster-coco-eval", "pycocotools"):
        coco_metrics(truth, detect(truth), evaluator, IDS)
    assert capfd.readouterr().out == ""


def test_an_unknown_evaluator_is_refused() -> None:
    with pytest.raises(TrialError, match="unknown evaluator voc"):
        coco_metrics(synthetic_truth(), [], "voc", IDS)


# -------------------------------------------------------------------------------------------------------- datasets


class Oracle(torch.nn.Module):
    """Answer with the ground truth that came with the image, as a detector of image size would."""

    def __init__(self, truth: dict[int, list[tuple[list[float], int]]]) -> None:
        super().__init__()
        self.truth = truth

    def data_preprocessor(self, batch: Any, _training: bool) -> Any:
        return batch

    def predict(self, _inputs: Any, samples: Any, rescale: bool) -> Any:
        from mmengine.structures import InstanceData

        assert rescale
        for sample in samples:
            objects = self.truth[sample.img_id]
            boxes = torch.tensor([box for box, _ in objects], dtype=torch.float32).reshape(-1, 4)
            labels = torch.tensor([label for _, label in objects], dtype=torch.int64)
            sample.pred_instances = InstanceData(bboxes=boxes, labels=labels, scores=torch.ones(len(objects)))
        return samples


def oracle(data: Any) -> Oracle:
    records = [data.get_data_info(index) for index in range(len(data))]
    return Oracle({r["img_id"]: [(i["bbox"], i["bbox_label"]) for i in r["instances"]] for r in records})


@EVALUATORS
def test_a_detector_that_knows_the_shapes_has_an_ap_of_one(evaluator: str) -> None:
    data = build_dataset(dataset(val_images=20), "val")
    found = evaluate(oracle(data), data, evaluator)
    assert found is not None
    assert found["coco/bbox_mAP"] == pytest.approx(1.0)
    assert "coco/bbox_mAP_l" not in found  # nothing in 64 x 64 pixels is large


@EVALUATORS
def test_a_detector_that_knows_a_coco_folder_has_an_ap_of_one(evaluator: str, tmp_path: Path) -> None:
    data = build_dataset(write_coco_folder(tmp_path, sizes=[(64, 48), (48, 64), (100, 40)]), "val")
    found = evaluate(oracle(data), data, evaluator)
    assert found is not None
    assert found["coco/bbox_mAP"] == pytest.approx(1.0)


def test_category_ids_follow_the_annotations() -> None:
    data = build_dataset(dataset(classes=("square", "circle")), "val")
    truth = ground_truth(data)
    assert [(category["id"], category["name"]) for category in truth["categories"]] == [(1, "square"), (2, "circle")]
    labels = [i["bbox_label"] for n in range(len(data)) for i in data.get_data_info(n)["instances"]]
    assert [annotation["category_id"] - 1 for annotation in truth["annotations"]] == labels
