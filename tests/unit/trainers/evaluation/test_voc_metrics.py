"""Prove Pascal VOC's average precision against counts by hand and against mmdet's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.evaluation import functional
from mmdet.evaluation.functional import mean_ap
from mmengine.structures import InstanceData

from tests.unit.trainers.voc_folder import SOME, write_part, write_voc_folder, xml
from trainers.data.datasets import build_dataset
from trainers.evaluation.evaluate import evaluate, ground_truth
from trainers.evaluation.voc_metrics import VocFound, VocTruth, voc_metrics


def truth(*objects: tuple[int, list[float], bool]) -> VocTruth:
    boxes = np.array([box for _, box, _ in objects], np.float32).reshape(-1, 4)
    labels = np.array([label for label, _, _ in objects], np.int64)
    return VocTruth(boxes, labels, np.array([difficult for *_, difficult in objects], bool))


def found(*detections: tuple[int, list[float], float]) -> VocFound:
    boxes = np.array([box for _, box, _ in detections], np.float32).reshape(-1, 4)
    labels = np.array([label for label, _, _ in detections], np.int64)
    return VocFound(boxes, np.array([score for *_, score in detections], np.float32), labels)


# ---------------------------------------------------------------------------------------------------------- by hand


def test_eleven_points_counted_by_hand() -> None:
    """Two objects; right, wrong, right: recall 1/2 at precision 1, recall 1 at 2/3, so (6 x 1 + 5 x 2/3) / 11."""
    truths = [truth((0, [0, 0, 9, 9], False)), truth((0, [20, 20, 29, 29], False))]
    detections = [
        found((0, [0, 0, 9, 9], 0.9), (0, [50, 50, 59, 59], 0.8)),
        found((0, [20, 20, 29, 29], 0.7)),
    ]
    expected = (6 + 5 * 2 / 3) / 11
    assert voc_metrics(truths, detections, 1) == pytest.approx(
        {"voc/mAP": expected, "voc/AP50": expected, "voc/AP75": expected}
    )


def test_overlap_counts_the_last_pixel() -> None:
    """A box of 10 x 10 pixels and its upper 6 rows: 6/10 counting the last pixel, 5/9 if not, so right at .5 to .6."""
    result = voc_metrics([truth((0, [0, 0, 9, 9], False))], [found((0, [0, 0, 9, 5], 0.9))], 1)
    assert result == pytest.approx({"voc/AP50": 1.0, "voc/AP75": 0.0, "voc/mAP": 0.3})


def test_a_second_detection_of_an_object_is_wrong_and_of_a_difficult_one_neither() -> None:
    """Of those that count: right, wrong, right, for two objects, as in the first test."""
    truths = [truth((0, [0, 0, 9, 9], True), (0, [40, 40, 49, 49], False)), truth((0, [0, 0, 9, 9], False))]
    twice = found(
        (0, [0, 0, 9, 9], 0.9), (0, [0, 0, 9, 9], 0.8), (0, [40, 40, 49, 49], 0.7), (0, [40, 40, 49, 49], 0.6)
    )
    expected = (6 + 5 * 2 / 3) / 11
    result = voc_metrics(truths, [twice, found((0, [0, 0, 9, 9], 0.5))], 1)
    assert result["voc/AP50"] == pytest.approx(expected)


def test_classes_without_objects_do_not_count_and_without_any_there_is_nothing() -> None:
    objects = [truth((1, [0, 0, 9, 9], False))]
    detections = [found((1, [0, 0, 9, 9], 0.9), (0, [0, 0, 9, 9], 0.9))]
    assert voc_metrics(objects, detections, 3)["voc/mAP"] == pytest.approx(1.0)
    assert voc_metrics(objects, [found()], 3) == {"voc/mAP": 0.0, "voc/AP50": 0.0, "voc/AP75": 0.0}
    assert voc_metrics([truth((0, [0, 0, 9, 9], True))], detections, 3) == {}


# ------------------------------------------------------------------------------------------------------ against mmdet


class OneProcess:
    """Stand in for the process pool that mmdet would fork."""

    def __init__(self, _count: int) -> None: ...

    def starmap(self, call: Any, arguments: Any) -> list[Any]:
        return [call(*item) for item in arguments]

    def close(self) -> None: ...


def random_data(seed: int, classes: int, images: int) -> tuple[list[VocTruth], list[VocFound]]:
    """Return objects, a fifth of them difficult, and detections near and far from them with distinct scores."""
    rng = np.random.default_rng(seed)
    truths, detections = [], []
    for _ in range(images):
        count = int(rng.integers(0, 6))
        boxes = rng.integers(0, 80, (count, 2)).repeat(2, axis=0).reshape(count, 4)
        boxes = np.hstack([boxes[:, :2], boxes[:, :2] + rng.integers(4, 40, (count, 2))]).astype(np.float32)
        labels = rng.integers(0, classes, count)
        truths.append(VocTruth(boxes, labels, rng.random(count) < 0.2))
        near = np.vstack([boxes, boxes + rng.normal(0, 2, (count, 4))])
        far = np.array([[1, 1, 30, 30]], np.float32)
        all_boxes = np.vstack([near, far]).astype(np.float32)
        chosen = np.hstack([labels, labels, rng.integers(0, classes, 1)])
        detections.append(VocFound(all_boxes, rng.random(len(all_boxes)).astype(np.float32), chosen))
    return truths, detections


@pytest.mark.parametrize("seed", range(3))
def test_mmdets_evaluation_agrees(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mean_ap, "Pool", OneProcess)
    truths, detections = random_data(seed, classes=3, images=25)
    annotations = [
        {
            "bboxes": t.boxes[~t.difficult],
            "labels": t.labels[~t.difficult],
            "bboxes_ignore": t.boxes[t.difficult],
            "labels_ignore": t.labels[t.difficult],
        }
        for t in truths
    ]
    per_class = [[d.of(label) for label in range(3)] for d in detections]
    theirs = [
        functional.eval_map(
            per_class,
            annotations,
            iou_thr=0.5 + 0.05 * step,
            logger="silent",
            eval_mode="11points",
            use_legacy_coordinate=True,
        )[0]
        for step in range(10)
    ]
    ours = voc_metrics(truths, detections, 3)
    assert 0.05 < theirs[-1] < theirs[0] < 0.99
    expected = {"voc/AP50": theirs[0], "voc/AP75": theirs[5], "voc/mAP": float(np.mean(theirs))}
    assert ours == pytest.approx(expected, rel=1e-6)


# ---------------------------------------------------------------------------------------------------------- evaluation


class Oracle(torch.nn.Module):
    """Answer with the dataset's own objects."""

    def __init__(self, data: Any) -> None:
        super().__init__()
        self.known = {r["img_id"]: r["instances"] for r in (data.get_data_info(i) for i in range(len(data)))}

    def data_preprocessor(self, batch: Any, _training: bool) -> Any:
        return batch

    def predict(self, _inputs: Any, samples: Any, rescale: bool) -> Any:
        assert rescale
        for sample in samples:
            items = self.known[sample.img_id]
            boxes = torch.tensor([item["bbox"] for item in items], dtype=torch.float32).reshape(-1, 4)
            labels = torch.tensor([item["bbox_label"] for item in items], dtype=torch.int64)
            sample.pred_instances = InstanceData(bboxes=boxes, labels=labels, scores=torch.ones(len(items)))
        return samples


def test_a_detector_that_knows_all_has_full_marks_of_both_kinds(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    write_part(tmp_path, spec.val[0], {"a": xml(SOME), "b": xml([]), "c": xml([("dog", (3, 3, 50, 40), 0)])})
    data = build_dataset(spec, "val")
    metrics = evaluate(Oracle(data), data, "faster-coco-eval")
    assert metrics is not None
    for name in ("voc/mAP", "voc/AP50", "coco/bbox_mAP", "coco/bbox_mAP_50"):
        assert metrics[name] == pytest.approx(1.0)
    crowds = [item["iscrowd"] for item in ground_truth(data)["annotations"]]
    assert crowds == [0, 1, 0]  # the difficult dog


def test_difficult_objects_need_not_be_found(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    data = build_dataset(spec, "val")
    detector = Oracle(data)
    for items in detector.known.values():
        items[:] = [item for item in items if not item["ignore_flag"]]
    metrics = evaluate(detector, data, "pycocotools")
    assert metrics is not None
    assert (metrics["voc/AP50"], metrics["coco/bbox_mAP"]) == (pytest.approx(1.0), pytest.approx(1.0))
