"""Prove that a study's few words become the mmdet detector that they name."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from torch import nn

from tests.unit.trainers.tiny import CONFIG, detector, differing
from trainers.detectors.detector import build_empty, build_student, model_config, placed
from trainers.detectors.overrides import start_untrained
from trainers.errors import TrialError
from trainers.schema import Detector
from trainers.schema.pyramid import pyramid_of
from trainers.schema.zoo import find_config

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


@pytest.mark.parametrize(
    "name", ["stillhouse::../zoo/configs.json", "mmdet::../../../secret.py", "stillhouse::/etc/passwd"]
)
def test_a_path_out_of_a_collection_is_refused(name: str) -> None:
    with pytest.raises(TrialError, match="leads out of"):
        model_config(Detector(config=name), CLASSES)


def test_what_needs_more_than_boxes_is_refused_with_the_reason() -> None:
    with pytest.raises(TrialError, match="cannot be trained: it needs masks of the objects, not boxes alone"):
        model_config(Detector(config="mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"), CLASSES)


def test_every_stage_gets_the_classes() -> None:
    cascade = model_config(Detector(config="mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py"), CLASSES)
    assert [head.num_classes for head in cascade.roi_head.bbox_head] == [CLASSES] * 3
    v3det = Detector(config="mmdet::v3det/faster_rcnn_r50_fpn_8x4_sample1e-3_mstrain_v3det_2x.py")
    head = model_config(v3det, CLASSES).roi_head.bbox_head
    assert (head.num_classes, head.loss_cls.num_classes) == (CLASSES, CLASSES)


def test_a_detector_without_classes_is_for_one() -> None:
    proposals = Detector(config="mmdet::rpn/rpn_r50_fpn_1x_coco.py")
    assert "num_classes" not in model_config(proposals, 1).rpn_head
    with pytest.raises(TrialError, match="RPN does not tell classes apart, and the dataset has 3"):
        model_config(proposals, 3)


def test_width_scales_both_stages_and_leaves_queries_alone() -> None:
    narrow = Detector(config="mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py", width=0.25, weights="random")
    model = model_config(narrow, CLASSES)
    assert (model.neck.out_channels, model.rpn_head.in_channels, model.rpn_head.feat_channels) == (64, 64, 64)
    assert model.roi_head.bbox_roi_extractor.out_channels == 64
    assert [head.in_channels for head in model.roi_head.bbox_head] == [64] * 3
    queries = Detector(config="mmdet::detr/detr_r50_8xb2-150e_coco.py", width=0.5, weights="random")
    with pytest.raises(TrialError, match="width cannot be set: DETR reads the pyramid by queries"):
        model_config(queries, CLASSES)


def test_a_depth_reaches_a_neck_that_reads_one_map() -> None:
    model = model_config(Detector(config="mmdet::yolof/yolof_r50-c5_8xb8-1x_coco.py", backbone_depth=18), CLASSES)
    assert model.neck.in_channels == 512


def test_detections_are_limited_in_the_last_stage_and_by_queries() -> None:
    cascade = Detector(config="mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py")
    found = model_config(cascade, CLASSES, 200).test_cfg
    assert (found.rcnn.max_per_img, found.rpn.max_per_img, found.rpn.nms_pre) == (200, 2000, 2000)
    queries = model_config(Detector(config="mmdet::detr/detr_r50_8xb2-150e_coco.py"), CLASSES, 200)
    assert queries.test_cfg.max_per_img == 100


# ------------------------------------------------------------------------------------------------------------ weights


def test_weights_are_a_function_of_the_seed() -> None:
    first, again, other = (build_student(detector(), CLASSES, seed).state_dict() for seed in (3, 3, 4))
    assert differing(first, again) == []
    assert "backbone.conv1.weight" in differing(first, other)


def test_no_pretrained_weights_are_named_in_the_config() -> None:
    assert b"torchvision://" not in pickle.dumps(model_config(detector(), CLASSES).to_dict())


@pytest.mark.parametrize("several", [False, True])
def test_parts_that_repeat_the_backbone_name_no_weights(several: bool) -> None:
    start = {"pretrained": "torchvision://a", "init_cfg": {"type": "Pretrained", "checkpoint": "torchvision://a"}}
    plain = {"type": "FPN", "init_cfg": {"type": "Xavier"}}
    rfp = {"type": "RFP", "rfp_backbone": {"type": "ResNet", **start}}
    model = ConfigDict(neck=[plain, rfp] if several else rfp, roi_head={"shared_head": {"type": "ResLayer", **start}})
    start_untrained(model)
    neck = model.neck[1] if several else model.neck
    for part in (neck.rfp_backbone, model.roi_head.shared_head):
        assert (part.pretrained, part.init_cfg) == (None, None)
    if several:
        assert model.neck[0] == plain
    for bare in (ConfigDict(), ConfigDict(neck=None, roi_head=None), ConfigDict(neck=plain, roi_head={})):
        start_untrained(bare)


# ------------------------------------------------------------------------------------------------- the paper's detectors

RETINANET, FCOS = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py", "mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py"
ATSS, TINY = "mmdet::atss/atss_r50_fpn_1x_coco.py", "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"
RTMDET = "mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py"
X101 = "mmdet::gfl/gfl_x101-32x4d_fpn_ms-2x_coco.py"
PAIRS = [
    "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py",
    GFL,
    "stillhouse::gfl_r34_fpn.py",
    "stillhouse::gfl_r18_fpn.py",
    "stillhouse::gfl_mobilenetv2_fpn.py",
    "stillhouse::gfl_swint_fpn.py",
    "mmdet::gfl/gfl_x101-32x4d-dconv-c4-c5_fpn_ms-2x_coco.py",
    "mmdet::atss/atss_r101_fpn_1x_coco.py",
    ATSS,
    "mmdet::fcos/fcos_r101-caffe_fpn_gn-head_ms-640-800-2x_coco.py",
    FCOS,
    "mmdet::retinanet/retinanet_r101_fpn_1x_coco.py",
    RETINANET,
    "mmdet::yolox/yolox_s_8xb8-300e_coco.py",
    TINY,
    RTMDET,
    "mmdet::tood/tood_r50_fpn_1x_coco.py",
    "mmdet::vfnet/vfnet_r50_fpn_1x_coco.py",
]


def levels(found: Any) -> tuple[int, list[tuple[int, ...]]]:
    """Return the channels of the first level's scores, and each level's size, for an image of 64 x 64 pixels."""
    with torch.no_grad():
        scores = found.eval()(torch.zeros(1, 3, 64, 64), mode="tensor")[0]
    return scores[0].shape[1], [tuple(level.shape[2:]) for level in scores]


@pytest.mark.slow  # half a minute in all
@pytest.mark.parametrize("config", PAIRS)
def test_every_detector_of_the_papers_pairs_builds_and_runs(config: str) -> None:
    found, sizes = levels(build_empty(Detector(config=config), CLASSES))
    assert found == CLASSES * (9 if "retinanet" in config else 1)
    sides = (8, 4, 2) if "yolox" in config or "rtmdet" in config else (8, 4, 2, 1, 1)
    assert sizes == [(side, side) for side in sides]


@pytest.mark.parametrize(
    ("config", "depth", "width", "neck", "stages"),
    [
        (TINY, None, 0.25, 32, [32, 64, 128]),
        (TINY, None, 0.5, 64, [64, 128, 256]),  # 48 is no multiple of 32: the nearest even one
        (RTMDET, None, 0.25, 32, [32, 64, 128]),
        (RTMDET, None, 0.5, 64, [64, 128, 256]),
        (RETINANET, 18, 0.125, 32, [16, 32, 64]),
        (FCOS, 18, 0.125, 32, [16, 32, 64]),
        (ATSS, 34, 0.125, 32, [16, 32, 64]),
        (X101, 50, 0.125, 32, [64, 128, 256]),
        ("mmdet::gfl/gfl_x101-32x4d-dconv-c4-c5_fpn_ms-2x_coco.py", 50, 0.125, 32, [64, 128, 256]),
    ],
)
def test_width_scales_backbone_neck_and_head_together(
    config: str, depth: Any, width: float, neck: int, stages: list[int]
) -> None:
    found = build_empty(zoo(config=config, backbone_depth=depth, width=width), CLASSES).eval()
    with torch.no_grad():
        outputs = found.backbone(torch.zeros(1, 3, 64, 64))
        pyramid = found.neck(outputs)
    assert [level.shape[1] for level in outputs[-3:]] == stages
    assert {level.shape[1] for level in pyramid} == {neck}
    assert levels(found)[1][0] == (8, 8)


@pytest.mark.parametrize(
    ("config", "depth", "stages", "neck"),
    [(RTMDET, 2.0, [2, 4, 4, 2], 2), (RTMDET, 0.5, [1, 1, 1, 1], 1), (TINY, 3.0, [3, 9, 9, 3], 3)],
)
def test_depth_scales_the_blocks_of_backbone_and_neck(config: str, depth: float, stages: list[int], neck: int) -> None:
    found = build_empty(zoo(config=config, depth=depth, width=0.25), CLASSES)
    assert [len(getattr(found.backbone, f"stage{n}")[-1].blocks) for n in range(1, 5)] == stages
    assert {len(layer.blocks) for layer in found.neck.top_down_blocks} == {neck}
    assert levels(found)[1][0] == (8, 8)


def test_images_are_padded_to_whole_cells_of_rtmdets_coarsest_level() -> None:
    assert model_config(zoo(config=RTMDET), CLASSES).data_preprocessor.pad_size_divisor == 32
    p6 = "mmdet::rtmdet/rtmdet_x_p6_4xb8-300e_coco.py"
    assert model_config(zoo(config=p6), CLASSES).data_preprocessor.pad_size_divisor == 64


def test_norms_that_synchronise_gpus_do_without_on_a_cpu() -> None:
    found = build_empty(zoo(config=RTMDET, width=0.25), CLASSES)
    names, before = list(found.state_dict()), found.bbox_head.cls_convs[1][0].conv
    assert any(isinstance(module, nn.SyncBatchNorm) for module in found.modules())
    on_cpu = placed(found, torch.device("cpu"), channels_last=False)
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in on_cpu.modules())
    assert list(on_cpu.state_dict()) == names
    assert on_cpu.bbox_head.cls_convs[0][0].conv is before  # still shared


def test_width_does_not_put_norms_where_a_head_has_none() -> None:
    found = build_empty(zoo(config=RETINANET, backbone_depth=18, width=0.125), CLASSES)
    assert not any(isinstance(module, nn.GroupNorm) for module in found.bbox_head.modules())


def test_pyramids_are_known_before_they_are_built() -> None:
    for config, width in ((GFL, 0.125), (TINY, 0.5), (RETINANET, 0.3), (RTMDET, 0.5)):
        detector = zoo(config=config, width=width)
        known = find_config(config)
        assert known is not None
        expected = pyramid_of(detector, known)
        model = model_config(detector, CLASSES)
        assert (expected.channels, expected.head_channels) == (model.neck.out_channels, model.bbox_head.feat_channels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": "stillhouse::gfl_swint_fpn.py", "width": 0.5}, "width cannot be set: .* is SwinTransformer"),
        (
            {"config": "stillhouse::gfl_mobilenetv2_fpn.py", "backbone_depth": 18},
            "backbone_depth cannot be set: .* MobileNetV2",
        ),
        ({"config": TINY, "backbone_depth": 50}, "backbone_depth cannot be set: .* CSPDarknet"),
        ({"config": GFL, "depth": 0.5}, "depth cannot be set: .* ResNet, not .*; of a ResNet say backbone_depth"),
        ({"config": X101, "backbone_depth": 34}, "backbone_depth cannot be 34: a ResNeXt has 50, 101 or 152 layers"),
        (
            {"config": "mmdet::gfl/gfl_r101-dconv-c3-c5_fpn_ms-2x_coco.py", "backbone_depth": 18},
            "no place for this config's deformable convolutions",
        ),
    ],
)
def test_overrides_that_a_backbone_cannot_take_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrialError, match=message):
        model_config(zoo(**changes), CLASSES)


@pytest.mark.parametrize("config", [FCOS, "stillhouse::gfl_swint_fpn.py", "stillhouse::gfl_mobilenetv2_fpn.py", TINY])
def test_random_weights_train_whole_backbones_of_every_kind(config: str) -> None:
    init_default_scope("mmdet")
    found = MODELS.build(model_config(zoo(config=config), CLASSES).backbone)
    found.train()
    assert all(parameter.requires_grad for parameter in found.parameters())
    assert all(module.training for module in found.modules())


def test_own_configs_differ_from_mmdets_gfl_in_the_backbone_only() -> None:
    reference = model_config(Detector(config=GFL, backbone_depth=18), CLASSES).to_dict()
    assert model_config(Detector(config="stillhouse::gfl_r18_fpn.py"), CLASSES).to_dict() == reference
    for name in ("gfl_mobilenetv2_fpn", "gfl_swint_fpn"):
        found = model_config(Detector(config=f"stillhouse::{name}.py"), CLASSES).to_dict()
        for part in ("bbox_head", "train_cfg", "test_cfg", "data_preprocessor"):
            assert found[part] == reference[part]
        assert {**found["neck"], "in_channels": 0, "start_level": 0} == {
            **reference["neck"], "in_channels": 0, "start_level": 0,
        }  # fmt: skip


def test_own_swin_is_the_one_of_mmdets_retinanet() -> None:
    theirs = model_config(Detector(config="mmdet::swin/retinanet_swin-t-p4-w7_fpn_1x_coco.py"), CLASSES).to_dict()
    found = model_config(Detector(config="stillhouse::gfl_swint_fpn.py"), CLASSES).to_dict()
    assert found["backbone"] == theirs["backbone"]
    assert found["neck"]["in_channels"] == theirs["neck"]["in_channels"]


# ------------------------------------------------------------------------------------- configs that cannot be built


def test_overrides_reach_the_first_of_several_necks() -> None:
    libra = "mmdet::libra_rcnn/libra-retinanet_r50_fpn_1x_coco.py"
    neck = model_config(zoo(config=libra, backbone_depth=18), CLASSES).neck
    assert (neck[0].in_channels, neck[0].out_channels, neck[1].in_channels) == ([64, 128, 256, 512], 256, 256)
    found = build_empty(zoo(config=libra, backbone_depth=18, width=0.25), CLASSES).eval()
    with torch.no_grad():
        scores, _ = found(torch.zeros(1, 3, 128, 128), mode="tensor")
    assert [level.shape[1] for level in scores] == [9 * CLASSES] * 5
    assert (found.neck[0].fpn_convs[0].conv.out_channels, found.neck[1].in_channels) == (64, 64)


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("model['neck'] = None", "backbone_depth and width cannot be set: this config has no neck"),
        ("model['neck']['type'] = 'Fpn'", "cannot build detector .*: KeyError: Fpn is not in the mmdet::model registry$"),
        ("model['bbox_head']['reg_maxx'] = 4", "cannot build detector .*unexpected keyword argument 'reg_maxx'"),
        ("del model['backbone']", "cannot use detector config .*backbone"),
        ("model['bbox_head']['init_cfg'] = dict(type='Pretrained', checkpoint='gone.pth')", "build .*gone.pth can not be found"),
        ("custom_imports = dict(imports=['no_such_package.models'])", "needs the Python package no_such_package, "),
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_built_is_explained(addition: str, message: str, tmp_path: Path) -> None:
    text = Path(CONFIG).read_text() + f"\n{addition}\n"
    (tmp_path / "odd.py").write_text(text)
    with pytest.raises(TrialError, match=message) as caught:
        build_empty(detector(config=str(tmp_path / "odd.py"), width=2.0), CLASSES)
    assert "\n" not in str(caught.value)
