"""Candidates and suppression in fixed shapes give mmdet's detections, without any ONNX."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmcv.ops import batched_nms
from mmdet.models.utils import filter_scores_and_topk
from mmengine.config import ConfigDict

from trainers.compat.mmdet_export import NONE, best_candidates
from trainers.onnx_export.candidates import Candidates, candidates
from trainers.onnx_export.suppression import suppressed


@pytest.mark.parametrize("topk", [5, 40, 1000])
@pytest.mark.parametrize("limit", [0.0, 0.5, 0.99, 1.0])
def test_candidates_are_those_that_mmdet_chooses(topk: int, limit: float) -> None:
    scores = torch.rand(30, 4, generator=torch.Generator().manual_seed(topk))
    rows = {"places": torch.arange(30.0)[:, None]}
    best, labels, priors, chosen = best_candidates(scores, limit, topk, rows)
    assert best.shape == labels.shape == priors.shape == (topk,)
    there = best > NONE
    expected = filter_scores_and_topk(scores, limit, topk, rows)
    for mine, theirs in zip((best, labels, priors), expected[:3], strict=True):
        assert torch.equal(mine[there], theirs)
    assert torch.equal(chosen["places"][there], expected[3]["places"])


@pytest.mark.parametrize("most", [3, 100])
@pytest.mark.parametrize("agnostic", [False, True])
def test_overlaps_are_suppressed_as_mmcv_suppresses_them(most: int, agnostic: bool) -> None:
    generator = torch.Generator().manual_seed(most)
    corners = torch.rand(300, 2, generator=generator) * 60 - 10  # some begin outside of the image
    boxes = torch.cat([corners, corners + 5 + 30 * torch.rand(300, 2, generator=generator)], dim=1)
    scores, labels = torch.rand(300, generator=generator), torch.randint(4, (300,), generator=generator)
    nobody = torch.arange(300) % 3 == 0
    mine = suppressed(Candidates(boxes, torch.where(nobody, NONE, scores), labels), 0.4, most, class_agnostic=agnostic)
    boxes, scores, labels = boxes[~nobody], scores[~nobody], labels[~nobody]
    expected, kept = batched_nms(boxes, scores, labels, {"type": "nms", "iou_threshold": 0.4}, agnostic)
    assert 3 < len(kept) < 200
    assert torch.equal(mine.boxes, boxes[kept[:most]])
    assert torch.equal(mine.scores, expected[:most, 4])
    assert torch.equal(mine.labels, labels[kept[:most]])


def test_without_a_candidate_nothing_is_found() -> None:
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    found = suppressed(Candidates(boxes, torch.tensor([NONE]), torch.tensor([0])), 0.5, 10)
    assert [len(part) for part in found] == [0, 0, 0]


class Head:
    """Predict given boxes, and note the configuration that it is asked with."""

    def __init__(self, boxes: torch.Tensor, **config: Any) -> None:
        self._boxes, self.test_cfg = boxes, ConfigDict(score_thr=0.1, **config)

    def __call__(self, features: object) -> tuple[list[torch.Tensor], ...]:
        return [self._boxes], [self._boxes]

    def predict_by_feat(self, *outputs: object, cfg: Any, **options: object) -> list[Any]:
        self.asked = cfg.min_bbox_size
        count = len(self._boxes)
        return [SimpleNamespace(bboxes=self._boxes, scores=torch.full((count,), 0.5), labels=torch.zeros(count))]


@pytest.mark.parametrize(
    ("config", "leaves_out"), [({"min_bbox_size": 0}, True), ({"min_bbox_size": -1}, False), ({}, False)]
)
def test_boxes_without_a_side_are_left_out_where_the_configuration_says_so(
    config: dict[str, int], leaves_out: bool
) -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 0, 4], [0, 0, 4, 0], [2, 2, 1, 3], [0, 0, 0.5, 0.5]])
    head = Head(boxes, **config)
    found = candidates(head, (), 8, 8)
    there = [True, not leaves_out, not leaves_out, not leaves_out, True]
    assert (found.scores > NONE).tolist() == there
    assert torch.equal(found.boxes, boxes)
    assert head.asked == -1, "mmdet would take them out, and with them the fixed shapes"
    assert head.test_cfg.get("min_bbox_size", "none") == config.get("min_bbox_size", "none")
