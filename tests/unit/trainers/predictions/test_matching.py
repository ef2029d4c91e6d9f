"""Right and wrong boxes are those of COCO's own evaluation."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from trainers.predictions.matching import match


def random_image(seed: int):
    """Return detections (sorted by score) and objects of one image: some met twice, some ignored, some equal."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 80, (6, 4))
    truth[:, 2:] = truth[:, :2] + rng.uniform(10, 60, (6, 2))
    truth[5] = truth[4]  # two objects in one place
    labels, ignore = rng.integers(0, 2, 6), rng.random(6) < 0.3
    boxes = np.repeat(truth, 3, axis=0) + rng.normal(0, 4, (18, 4))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    found = np.where(rng.random(18) < 0.8, np.repeat(labels, 3), rng.integers(0, 2, 18))
    scores = np.sort(rng.random(18))[::-1]
    order = rng.permutation(18)
    return boxes[order], scores, found[order], truth, labels, ignore


def xywh(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()


def cocos_view(boxes, scores, found, truth, labels, ignore):
    """Return for each detection the position of the object it met (``None``: none) and whether it counts, by pycocotools."""
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": 1, "width": 200, "height": 200}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": [
            {"id": n + 1, "image_id": 1, "category_id": int(label) + 1, "bbox": box, "area": box[2] * box[3],
             "iscrowd": int(skip)}
            for n, (box, label, skip) in enumerate(zip(xywh(truth), labels, ignore, strict=True))
        ],
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = coco.loadRes(
            [
                {"image_id": 1, "category_id": int(label) + 1, "bbox": box, "score": float(score)}
                for box, score, label in zip(xywh(boxes), scores, found, strict=True)
            ]
        )
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
    met, counts = {}, {}
    for item in filter(None, evaluation.evalImgs):
        for number, gt, skip in zip(item["dtIds"], item["dtMatches"][0], item["dtIgnore"][0], strict=True):
            met[number - 1], counts[number - 1] = (int(gt) - 1 if gt else None), not skip
    return [met[n] for n in range(len(boxes))], [counts[n] for n in range(len(boxes))]


@pytest.mark.parametrize("seed", range(25))
def test_matches_are_those_of_pycocotools(seed):
    boxes, scores, found, truth, labels, ignore = random_image(seed)
    met, counts = cocos_view(boxes, scores, found, truth, labels, ignore)
    ours = match(boxes, found, truth, labels, ignore)
    assert list(ours.met) == met
    wanted = [
        "ignored" if not count else "fp" if place is None else "tp" for place, count in zip(met, counts, strict=True)
    ]
    assert list(ours.kinds) == wanted


def test_an_image_without_objects_has_wrong_boxes_only():
    boxes = np.array([[0.0, 0.0, 5.0, 5.0]])
    none = np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool)
    assert match(boxes, np.array([0]), *none).kinds == ("fp",)


def test_an_object_is_met_by_the_best_box_only_and_a_crowd_by_many():
    boxes = np.array([[0.0, 0, 10, 10]] * 2 + [[50.0, 50, 60, 60]] * 2)
    truth = np.array([[0.0, 0, 10, 10], [40.0, 40, 100, 100]])
    ours = match(boxes, np.zeros(4, np.int64), truth, np.zeros(2, np.int64), np.array([False, True]))
    assert ours.kinds == ("tp", "fp", "ignored", "ignored")
    assert ours.met == (0, None, 1, 1)
