"""Files that mmdet's modules convert by themselves are loaded, and nothing counts as loaded that was not."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmcv.cnn.bricks.conv_ws import ConvAWS2d
from mmcv.ops import DeformConv2dPack, ModulatedDeformConv2dPack
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import load_state_dict
from torch import Tensor, nn

from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.errors import TrialError
from trainers.formats.weights import load_state, load_weights
from trainers.schema import Weights

OLD_NAMES = {"conv_cls": "fcos_cls", "conv_reg": "fcos_reg", "conv_centerness": "fcos_centerness"}


def older(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return an FCOS's weights under the names of the first versions of mmdet."""
    return {".".join(OLD_NAMES.get(part, part) for part in key.split(".")): value for key, value in state.items()}


def equal(left: nn.Module, right: nn.Module) -> bool:
    one, other = left.state_dict(), right.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_an_fcos_of_the_first_versions_is_loaded_whole_and_its_new_names_are_said(tmp_path: Path) -> None:
    source, target = woken(config_of("fcos"), 1), woken(config_of("fcos"), 2)
    torch.save({"state_dict": older(source.state_dict())}, tmp_path / "w.pth")
    coverage = load_weights(target, Weights(path=str(tmp_path / "w.pth")), "teacher")
    assert (coverage.share, coverage.missing, coverage.unused) == (1.0, (), ())
    assert equal(target, source)
    assert coverage.renamed["bbox_head.fcos_cls.weight"] == "bbox_head.conv_cls.weight"
    assert len(coverage.renamed) == 6
    assert "renamed: 6 (bbox_head.fcos_cls.weight as bbox_head.conv_cls.weight" in coverage.describe()


@pytest.mark.parametrize("head", ["fcos", "retinanet", "gfl", "atss"])
def test_the_tensors_are_those_that_mmengines_loader_would_load(head: str) -> None:
    MMLogger.get_instance("mmengine").setLevel("ERROR")  # it prints every missing key
    state = older(woken(config_of(head), 1).state_dict())
    state = {key: value for key, value in state.items() if "lateral_convs.1" not in key}
    state["neck.lateral_convs.0.conv.weight"] = torch.ones(1, 2, 3, 4)
    ours, theirs = woken(config_of(head), 2), woken(config_of(head), 2)
    load_state_dict(theirs, dict(state))
    coverage = load_state(ours, state)
    assert equal(ours, theirs)
    assert coverage.missing == ("neck.lateral_convs.1.conv.weight", "neck.lateral_convs.1.conv.bias")
    assert [odd.key for odd in coverage.misshapen] == ["neck.lateral_convs.0.conv.weight"]


def test_an_older_name_of_another_shape_is_told_by_the_models_name() -> None:
    state = older(woken(config_of("fcos"), 1).state_dict())
    state["bbox_head.fcos_cls.bias"] = torch.ones(7)
    coverage = load_state(woken(config_of("fcos"), 2), state)
    assert coverage.misshapen == (("bbox_head.conv_cls.bias", (3,), (7,)),)
    assert coverage.unused == ()


def test_a_two_stage_detectors_first_head_goes_into_a_one_stage_detector() -> None:
    source, target = woken(config_of("retinanet"), 1), woken(config_of("retinanet"), 2)
    state = {key.replace("bbox_head.", "rpn_head."): value for key, value in source.state_dict().items()}
    assert load_state(target, state).share == 1.0
    assert equal(target, source)


@pytest.mark.parametrize("kind", [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_offsets_that_stood_beside_their_convolution_are_loaded(kind: Any) -> None:
    source, target = (nn.Sequential(nn.Sequential(kind(4, 4, 3, padding=1))) for _ in range(2))
    nn.init.normal_(source[0][0].conv_offset.weight)
    state = {key.replace("0.0.conv_offset", "0.0_offset"): value for key, value in source.state_dict().items()}
    assert any("_offset" in key and "conv_offset" not in key for key in state)
    coverage = load_state(target, state)
    assert (coverage.share, coverage.unused) == (1.0, ())
    assert equal(target, source)
    assert coverage.renamed["0.0_offset.weight"] == "0.0.conv_offset.weight"


def test_a_tensor_that_a_module_computes_from_others_counts_and_one_that_it_keeps_does_not() -> None:
    source = nn.Conv2d(2, 3, 3)
    whole = load_state(ConvAWS2d(2, 3, 3), source.state_dict())
    assert (whole.total, whole.share) == (4, 1.0)
    assert load_state(ConvAWS2d(2, 3, 3), {}).missing == ("weight", "bias", "weight_gamma", "weight_beta")
    norm = nn.BatchNorm2d(3)
    state = {key: value for key, value in norm.state_dict().items() if key != "num_batches_tracked"}
    assert load_state(nn.BatchNorm2d(3), state).missing == ("num_batches_tracked",)


def test_names_that_the_model_knows_are_never_converted() -> None:
    """A head of the user's own below mmdet's may call a layer as the first versions did."""
    model = woken(config_of("fcos"), 1)
    model.bbox_head.my_cls = nn.Linear(2, 2)
    target = woken(config_of("fcos"), 2)
    target.bbox_head.my_cls = nn.Linear(2, 2)
    assert load_state(target, model.state_dict()).share == 1.0
    assert equal(target, model)


def test_a_tensor_that_cannot_be_copied_is_one_sentence() -> None:
    sparse = torch.ones(2, 3).to_sparse_csr()
    with pytest.raises(TrialError, match=r"the weights cannot be used: .*weight"):
        load_state(nn.Linear(3, 2), {"weight": sparse, "bias": torch.ones(2)})
