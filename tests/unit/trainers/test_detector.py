"""Prove that a study's few words become the mmdet detector that they name."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.unit.trainers.tiny import CONFIG, detector, differing
from trainers.detector import build_empty, build_student, model_config
from trainers.errors import TrialError
from trainers.spec import Detector

GFL = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
CLASSES = 3


def zoo(**changes: Any) -> Detector:
    return Detector(**{"config": GFL, "weights": "random", **changes})


def channels(model: Any) -> dict[str, int]:
    """Return what the modules have, whatever the config says."""
    return {
        "stem": model.backbone.conv1.out_channels,
        "stages": [conv.conv.in_channels for conv in model.neck.lateral_convs],
        "neck": model.neck.fpn_convs[0].conv.out_channels,
        "head": model.bbox_head.cls_convs[0].conv.out_channels,
        "classes": model.bbox_head.gfl_cls.out_channels,
        "blocks": len(model.backbone.layer3),
    }


# -------------------------------------------------------------------------------------------------------- overrides


@pytest.mark.parametrize(
    ("depth", "width", "stem", "stages", "neck", "blocks"),
    [
        (18, 0.25, 16, [32, 64, 128], 64, 2),
        (18, 0.125, 8, [16, 32, 64], 32, 2),
        (34, 0.125, 8, [16, 32, 64], 32, 6),
        (50, 0.125, 8, [64, 128, 256], 32, 6),
        (101, 0.125, 8, [64, 128, 256], 32, 23),
    ],
)
def test_depth_and_width_give_channels(
    depth: int, width: float, stem: int, stages: list[int], neck: int, blocks: int
) -> None:
    model = build_empty(zoo(backbone_depth=depth, width=width), CLASSES)
    expected = {"stem": stem, "stages": stages, "neck": neck, "head": neck, "classes": CLASSES, "blocks": blocks}
    assert channels(model) == expected
    with torch.no_grad():
        scores, boxes = model.eval()(torch.zeros(1, 3, 64, 64), mode="tensor")
    # One image and levels of a single cell: the norm's groups must hold more than one channel.
    assert [tuple(level.shape) for level in scores] == [(1, CLASSES, side, side) for side in (8, 4, 2, 1, 1)]
    assert boxes[0].shape[1] == 4 * 17


def test_without_overrides_the_config_stands() -> None:
    from mmengine.config import Config

    found = model_config(Detector(config=GFL), 80)
    plain = Config.fromfile(str(_installed(GFL))).model
    plain.backbone.init_cfg = None
    plain.init_cfg = None
    assert found.to_dict() == plain.to_dict()


def _installed(name: str) -> Path:
    import mmdet

    return Path(mmdet.__file__).parent / ".mim" / "configs" / name.removeprefix("mmdet::")


def test_depth_alone_is_resnet_18_at_full_width() -> None:
    config = model_config(zoo(backbone_depth=18), CLASSES)
    assert (config.backbone.depth, config.neck.in_channels) == (18, [64, 128, 256, 512])
    assert (config.neck.out_channels, config.bbox_head.feat_channels) == (256, 256)
    assert "base_channels" not in config.backbone


@pytest.mark.parametrize("weights", ["imagenet", "random"])
def test_random_weights_unfreeze_the_backbone(weights: str) -> None:
    model = build_empty(Detector(config=CONFIG, weights=weights), CLASSES).train()  # type: ignore[arg-type]
    stem_trains = model.backbone.layer1[0].conv1.weight.requires_grad
    norms_train = [norm.training for norm in model.backbone.modules() if isinstance(norm, nn.BatchNorm2d)]
    if weights == "random":
        assert stem_trains
        assert all(norms_train)
        assert all(parameter.requires_grad for parameter in model.parameters())
    else:
        assert not stem_trains
        assert not any(norms_train)
        assert model.backbone.layer2[0].conv1.weight.requires_grad


# ----------------------------------------------------------------------------------------------------- local configs


def test_a_local_config_keeps_its_own_channels() -> None:
    found = channels(build_empty(detector(), CLASSES))
    assert found == {"stem": 16, "stages": [32, 64, 128], "neck": 32, "head": 32, "classes": CLASSES, "blocks": 2}


def test_channels_of_a_local_config_need_not_be_multiples_of_the_group(tmp_path: Path) -> None:
    norm = "dict(type='GN', num_groups=16)"
    text = f"_base_ = ['{CONFIG}']\nmodel = dict(neck=dict(out_channels=48), bbox_head=dict(in_channels=48, feat_channels=48, norm_cfg={norm}))"
    (tmp_path / "odd.py").write_text(text)
    found = channels(build_empty(detector(config=str(tmp_path / "odd.py")), CLASSES))
    assert (found["neck"], found["head"]) == (48, 48)


def test_width_scales_a_local_config_from_its_own_channels() -> None:
    found = channels(build_empty(detector(width=2.0), CLASSES))
    assert found == {"stem": 32, "stages": [64, 128, 256], "neck": 64, "head": 64, "classes": CLASSES, "blocks": 2}


@pytest.mark.parametrize(
    ("name", "content"),
    [("absent.py", None), ("broken.py", "model = dict("), ("no_model.py", "lr = 1"), ("text.txt", "model")],
)
def test_a_config_that_cannot_be_read_is_named(name: str, content: str | None, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(TrialError, match=f"cannot read detector config .*{name}"):
        model_config(Detector(config=str(path)), CLASSES)


def test_a_config_that_mmdet_does_not_ship_is_named() -> None:
    with pytest.raises(TrialError, match=r"cannot read detector config mmdet::gfl/gfl_r18\.py"):
        model_config(Detector(config="mmdet::gfl/gfl_r18.py"), CLASSES)


def test_a_two_stage_detector_is_refused() -> None:
    with pytest.raises(TrialError, match="has no bbox_head"):
        model_config(Detector(config="mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"), CLASSES)


# ------------------------------------------------------------------------------------------------------------ weights


def test_weights_are_a_function_of_the_seed() -> None:
    first, again, other = (build_student(detector(), CLASSES, seed).state_dict() for seed in (3, 3, 4))
    assert differing(first, again) == []
    assert "backbone.conv1.weight" in differing(first, other)


def test_no_pretrained_weights_are_named_in_the_config() -> None:
    assert b"torchvision://" not in pickle.dumps(model_config(detector(), CLASSES).to_dict())
