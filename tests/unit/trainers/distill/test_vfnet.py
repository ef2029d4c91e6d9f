"""Hold VFNet to what is its own: two stages of boxes, and scores of the star convolution."""

from pathlib import Path

import pytest
import torch

from tests.unit.trainers.scenes import CROWD, LARGE, UPRIGHT, preprocess
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.distill.adapters.base import Targets, adapter_for


def test_boxes_are_the_refined_ones_in_training_and_evaluation() -> None:
    detector = woken(config_of("vfnet"), 1).eval()
    inputs, _ = preprocess(detector, (LARGE, CROWD))
    adapter = adapter_for(detector)
    evaluating = adapter.forward(inputs)
    detector.bbox_head.train()  # the backbone's norms keep their statistics
    training = adapter.forward(inputs)
    assert (len(training.outs), len(evaluating.outs)) == (3, 2)
    torch.testing.assert_close(training.boxes_A4, evaluating.boxes_A4)
    distances = [level / stride for level, stride in zip(training.outs[2], (8, 16, 32), strict=True)]
    wanted = torch.cat([level.permute(0, 2, 3, 1).reshape(2, -1, 4) for level in distances], 1).reshape(-1, 4)
    torch.testing.assert_close(training.deltas_A4, wanted)


def test_predicting_from_head_features_is_the_heads_own_forward() -> None:
    detector = woken(config_of("vfnet"), 1).train()
    inputs, _ = preprocess(detector, (LARGE, UPRIGHT))
    adapter, head = adapter_for(detector), detector.bbox_head
    features = detector.extract_feat(inputs)
    branches = []
    for convs in (head.cls_convs, head.reg_convs):
        levels = [level.clone() for level in features]
        for conv in convs:
            levels = [conv(level) for level in levels]
        branches.append(levels)
    found, own = adapter.predict(*branches), head(features)
    for mine, theirs in zip(found, own, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("atss", [True, False])
def test_the_assignment_of_fcos_can_stand_in_for_atss(atss: bool, tmp_path: Path) -> None:
    path = tmp_path / "detector.py"
    path.write_text(f"_base_ = {str(config_of('vfnet'))!r}\nmodel = {{'bbox_head': {{'use_atss': {atss}}}}}\n")
    student = woken(path, 1).train()
    inputs, samples = preprocess(student, (LARGE, CROWD))
    adapter, targets = adapter_for(student), Targets()
    outputs = adapter.forward(inputs)
    adapter.losses(outputs, samples, targets)
    found = adapter.anchors(outputs, targets)
    assert float(found.normaliser) == int(found.positive_A.sum()) > 1
    metas = [sample.metainfo for sample in samples]
    boxes = [sample.gt_instances.bboxes for sample in samples]
    assert torch.equal(adapter.match(outputs, boxes, metas), found.positive_A)
    assert ("MlvlPoint" in adapter.assigner) is False
