"""More objects than COCO's 100 detections can all be found, where the study says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from orchestrator.study.fingerprint import canonical_json
from tests.unit.trainers.evaluation.test_evaluate import IDS, NAMES, detect, exact, synthetic_truth
from tests.unit.trainers.tiny import dataset, trial
from trainers.detectors.detector import build_empty, model_config
from trainers.evaluation.evaluate import coco_metrics
from trainers.schema import Detector
from trainers.state.export import write_config

EVALUATORS = pytest.mark.parametrize("evaluator", ["faster-coco-eval", "pycocotools"])
CONFIGS = (
    "mmdet::gfl/gfl_r50_fpn_1x_coco.py",
    "mmdet::atss/atss_r50_fpn_1x_coco.py",
    "mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
    "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py",
)


def crowded(objects: int) -> dict[str, Any]:
    """Return one image full of objects of one class."""
    truth = synthetic_truth()
    box = {"image_id": 1, "category_id": 1, "area": 64.0, "iscrowd": 0}
    truth["annotations"] = [
        {"id": n + 1, "bbox": [10.0 * (n % 20), 10.0 * (n // 20), 8.0, 8.0], **box} for n in range(objects)
    ]
    return truth


@EVALUATORS
def test_perfect_detections_of_many_objects_are_perfect(evaluator: str) -> None:
    truth = crowded(150)
    usual = coco_metrics(truth, exact(truth), evaluator, IDS)
    assert usual["coco/bbox_mAP"] == pytest.approx(0.663, abs=0.001)
    for name, value in coco_metrics(truth, exact(truth), evaluator, IDS, max_detections=150).items():
        assert value == pytest.approx(1.0), name


@EVALUATORS
@pytest.mark.parametrize("most", [1, 3, 100, 300])
def test_statistics_are_pycocotools_own_at_any_number(evaluator: str, most: int, capsys: Any) -> None:
    truth = synthetic_truth()
    detections = detect(truth)
    ours = coco_metrics(truth, detections, evaluator, IDS, max_detections=most)
    reference = COCO()
    reference.dataset = {"info": {}, **truth}
    reference.createIndex()
    theirs = COCOeval(reference, reference.loadRes(detections), "bbox")
    theirs.params.maxDets = [1, 1, most]
    theirs.evaluate()
    theirs.accumulate()
    means = [theirs.eval["precision"][:, :, :, area, 2] for area in range(4)]
    parts = [means[0], means[0][0], means[0][5], *means[1:]]
    expected = {f"coco/{name}": np.mean(part[part > -1]) for name, part in zip(NAMES, parts, strict=True)}
    capsys.readouterr()
    assert ours == pytest.approx(expected, rel=0.0, abs=1e-14)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_test_configuration_keeps_as_many(config: str) -> None:
    usual = model_config(Detector(config=config), 3).test_cfg
    assert model_config(Detector(config=config), 3, 100).test_cfg == usual
    more = model_config(Detector(config=config), 3, 300).test_cfg
    assert (more.max_per_img, more.nms_pre) == (300, 3 * usual.nms_pre)
    fewer = model_config(Detector(config=config), 3, 10).test_cfg
    assert (fewer.max_per_img, fewer.nms_pre) == (10, usual.nms_pre)


@torch.no_grad()
def test_a_detector_answers_with_as_many() -> None:
    spec = dataset(max_detections=170)
    found = build_empty(trial().student, 3, max_detections=spec.max_detections).eval()
    assert found.bbox_head.test_cfg.max_per_img == 170


def test_the_exported_config_says_the_same(tmp_path: Path) -> None:
    write_config(trial(dataset=dataset(max_detections=170)), tmp_path / "config.py")
    assert Config.fromfile(tmp_path / "config.py").model.test_cfg.max_per_img == 170


def test_only_another_number_is_another_identity() -> None:
    plain = canonical_json(dataset().identity())
    assert canonical_json(dataset(max_detections=100).identity()) == plain
    assert canonical_json(dataset(max_detections=101).identity()) != plain
