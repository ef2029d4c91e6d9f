"""The private parts of mmdet that trainers/compat uses have the shape that they had in mmdet 3.3.0, mmengine 0.10.7."""

import sys
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmdet.utils import dist_utils
from mmengine.model import BaseDataPreprocessor

from tests.contract.written_against import against, names_in
from trainers.compat.lean_imports import NEEDLESS, lean_imports
from trainers.compat.mmdet_parts import copy_without_waiting, reduce_mean_by, yolox_assignments

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
