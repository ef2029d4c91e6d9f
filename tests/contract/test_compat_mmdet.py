"""The private parts of mmdet that trainers/compat uses have the shape that they had in mmdet 3.3.0, mmengine 0.10.7."""

import sys
from importlib import import_module
from inspect import signature
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmdet.utils import dist_utils
from mmengine.model import BaseDataPreprocessor

from tests.contract.written_against import against, names_in
from trainers.compat.lean_imports import NEEDLESS, lean_imports
from trainers.compat.mmdet_export import best_candidates, choices_of_fixed_size, normalised, takes_rgb, yolox_boxes
from trainers.compat.mmdet_parts import copy_without_waiting, reduce_mean_by, yolox_assignments
from trainers.compat.nms_candidates import LAST_STEPS, fixed_candidates

MMDET = against("mmdet", "3.3.0")


def test_every_mean_over_workers_is_seen_and_may_be_changed() -> None:
    from mmdet.models.dense_heads import atss_head

    assert dist_utils.dist is dist, MMDET
    seen = []

    def double(tensor: torch.Tensor) -> None:
        seen.append(tensor.item())
        tensor.mul_(2)

    with reduce_mean_by(double):
        found = atss_head.reduce_mean(torch.tensor(3.0)).item()
    assert (seen, found) == ([3.0], 6.0), MMDET
    assert dist_utils.dist is dist


def test_yolox_assigns_each_image_by_a_method_that_its_loss_asks_of_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    from mmdet.models.dense_heads.yolox_head import YOLOXHead

    assert "_get_targets_single" in names_in(YOLOXHead.loss_by_feat), MMDET
    monkeypatch.setattr(YOLOXHead, "_get_targets_single", lambda self, image: f"targets of {image}")
    head = YOLOXHead.__new__(YOLOXHead)
    torch.nn.Module.__init__(head)
    with yolox_assignments(head) as found:
        assert head._get_targets_single("one") == "targets of one"
        head._get_targets_single("two")
    head._get_targets_single("three")
    assert found == ["targets of one", "targets of two"]


def test_images_are_copied_as_the_preprocessor_is_told() -> None:
    from mmdet.models.data_preprocessors import DetDataPreprocessor

    assert "_non_blocking" in names_in(BaseDataPreprocessor.cast_data), against("mmengine", "0.10.7")
    preprocessor = DetDataPreprocessor()
    assert preprocessor._non_blocking is False
    copy_without_waiting(SimpleNamespace(data_preprocessor=preprocessor), True)
    assert preprocessor._non_blocking is True


def test_the_module_that_mmdet_can_do_without_is_hidden_for_the_block_only() -> None:
    known = NEEDLESS in sys.modules
    with lean_imports():
        assert known or sys.modules[NEEDLESS] is None
    assert (NEEDLESS in sys.modules) is known


def test_the_last_suppressions_are_calls_of_batched_nms_with_boxes_scores_and_labels() -> None:
    from mmcv.ops import batched_nms

    suppressing = [import_module(name) for name in LAST_STEPS]
    assert [module.batched_nms for module in suppressing] == [batched_nms] * len(suppressing), MMDET
    assert list(signature(batched_nms).parameters)[:3] == ["boxes", "scores", "idxs"], MMDET
    with fixed_candidates(torch.nn.Module(), 2):
        boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [0.0, 0.0, 8.0, 8.0], [50.0, 50.0, 59.0, 59.0]])
        dets, kept = suppressing[0].batched_nms(
            boxes, torch.tensor([0.2, 0.9, 0.5]), torch.zeros(3), {"iou_threshold": 0.5}
        )
    assert kept.tolist() == [1, 2], MMDET
    assert dets[:, 4].tolist() == pytest.approx([0.9, 0.5])
    assert all(module.batched_nms is batched_nms for module in suppressing)


@pytest.mark.parametrize("name", ["base_dense_head:BaseDenseHead", "gfl_head:GFLHead"])
def test_heads_choose_their_candidates_by_a_function_of_their_module(name: str) -> None:
    module, _, head = name.partition(":")
    found = import_module(f"mmdet.models.dense_heads.{module}")
    assert "filter_scores_and_topk" in names_in(getattr(found, head)._predict_by_feat_single), MMDET
    real = found.filter_scores_and_topk
    with choices_of_fixed_size():
        assert found.filter_scores_and_topk is best_candidates
    assert found.filter_scores_and_topk is real


@pytest.mark.parametrize("rgb", [False, True])
def test_the_preprocessor_says_how_it_changes_pixels(rgb: bool) -> None:
    from mmdet.models.data_preprocessors import DetDataPreprocessor

    assert not takes_rgb(DetDataPreprocessor()), MMDET
    preprocessor = DetDataPreprocessor(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], bgr_to_rgb=rgb)
    assert takes_rgb(preprocessor) == rgb
    image = torch.arange(12, dtype=torch.uint8).reshape(3, 2, 2)
    pixels = (image.flip(0) if rgb else image).float()
    expected = preprocessor({"inputs": [image], "data_samples": None}, False)["inputs"][0]
    assert torch.equal(normalised(preprocessor, pixels), expected), MMDET
    assert torch.equal(normalised(DetDataPreprocessor(), pixels), pixels), MMDET


def test_yolox_decodes_boxes_by_a_method_without_state() -> None:
    from mmdet.models.dense_heads.yolox_head import YOLOXHead

    head = YOLOXHead.__new__(YOLOXHead)
    priors = torch.tensor([[8.0, 16.0, 8.0, 8.0]])
    boxes = yolox_boxes(head, priors, torch.tensor([[0.5, 0.0, 0.0, 0.0]]))
    assert boxes.tolist() == [[8.0, 12.0, 16.0, 20.0]], MMDET
