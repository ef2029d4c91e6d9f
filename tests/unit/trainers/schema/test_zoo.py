"""The lists of configs and checkpoints agree with each other and with what studies need of them."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from trainers.detectors.zoo_index import describe, describe_all, render, shipped_configs
from trainers.schema import zoo


def test_every_checkpoint_names_a_known_config_of_its_own_name() -> None:
    for name in zoo.checkpoint_names():
        checkpoint = zoo.find_checkpoint(name)
        assert checkpoint is not None
        config = zoo.find_config(checkpoint.config)
        assert config is not None
        assert Path(config.path).stem == name
        assert config.num_classes == 80
        assert re.fullmatch(
            rf"https://download\.openmmlab\.com/mmdetection/v[23]\.0/\S+-{checkpoint.sha256}\.pth", checkpoint.url
        )
        assert 30.0 < checkpoint.ap < 55.0


def test_checkpoints_are_those_of_mmdets_own_lists() -> None:
    root = shipped_configs()
    assert root is not None
    for name in zoo.checkpoint_names():
        checkpoint = zoo.find_checkpoint(name)
        assert checkpoint is not None
        config = checkpoint.config.removeprefix(zoo.PREFIX)
        listed = published(root / Path(config).parent / "metafile.yml")
        assert listed[f"configs/{config}"] == (checkpoint.url, checkpoint.ap)


@cache
def published(metafile: Path) -> dict[str, tuple[str, float]]:
    """Return address and box AP of each checkpoint in one of mmdet's lists, by the path of its config."""
    models = [model for model in yaml.safe_load(metafile.read_text())["Models"] if "Weights" in model]
    return {model["Config"]: (model["Weights"], model["Results"][0]["Metrics"]["box AP"]) for model in models}


def test_papers_teacher_is_known() -> None:
    checkpoint = zoo.find_checkpoint("gfl_r101_fpn_ms-2x_coco")
    assert checkpoint is not None
    assert (checkpoint.ap, checkpoint.sha256) == (44.7, "dd12f847")
    config = zoo.find_config("mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py")
    assert config == zoo.ZooConfig(
        path="gfl/gfl_r101_fpn_ms-2x_coco.py",
        detector="GFL",
        head="GFLHead",
        num_classes=80,
        backbone="ResNet",
        depth=101,
        pretrained="torchvision://resnet101",
        neck_channels=256,
        num_outs=5,
        stacked_convs=4,
        feat_channels=256,
        coding=config.coding if config else None,
    )


def test_own_configs_are_known_by_their_prefix_only() -> None:
    own = zoo.find_config("stillhouse::gfl_r18_fpn.py")
    assert own is not None
    assert (own.head, own.backbone, own.depth) == ("GFLHead", "ResNet", 18)
    for name in ("gfl_r18_fpn.py", "mmdet::gfl_r18_fpn.py", "stillhouse::gfl/gfl_r50_fpn_1x_coco.py"):
        assert zoo.find_config(name) is None


def test_lists_agree_with_the_folder_of_own_configs() -> None:
    folder = zoo.configs_dir() / "detectors"
    listed = {name for name in zoo.config_names() if name.startswith(zoo.OWN)}
    assert listed == {f"{zoo.OWN}{path.name}" for path in folder.glob("*.py")}
    assert (folder / "index.json").read_text() == render(zoo.mmdet_version(), list(describe_all(folder)))


def test_configs_that_cannot_be_read_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "whole.py").write_text("model = dict(type='A', bbox_head=dict(type='B', num_classes=3))")
    (tmp_path / "a.py").write_text("_base_ = 'absent.py'")
    (tmp_path / "c.py").write_text("raise ImportError('no such package')")
    (tmp_path / "d.py").write_text("data = 1")
    rows = list(describe_all(tmp_path))
    assert [(row["path"], row["detector"], row["head"], row["num_classes"]) for row in rows] == [
        ("b/whole.py", "A", "B", 3)
    ]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("zoo_index: left out a.py: ")
    assert second.startswith("zoo_index: left out c.py: ")


@pytest.mark.parametrize("path", ["../zoo/configs.json", "/etc/passwd", "a/../../zoo/backbones.yaml"])
def test_a_path_out_of_the_own_configs_is_refused(path: str) -> None:
    assert zoo.find_config(zoo.OWN + path) is None
    with pytest.raises(ValueError, match="leads out of the detector configs"):
        zoo.own_config(zoo.OWN + path)


def test_pyramids_without_a_number_of_outputs_have_one_for_each_input() -> None:
    yolox = zoo.find_config("mmdet::yolox/yolox_s_8xb8-300e_coco.py")
    assert yolox is not None
    assert (yolox.num_outs, yolox.neck_channels, yolox.feat_channels, yolox.stacked_convs) == (3, 128, 128, 2)
    assert (yolox.pretrained, yolox.deformable) == (None, False)


def test_deformable_convolutions_are_told() -> None:
    config = zoo.find_config("mmdet::gfl/gfl_x101-32x4d-dconv-c4-c5_fpn_ms-2x_coco.py")
    assert config is not None
    assert config.deformable


def test_unknown_names_are_none() -> None:
    assert zoo.find_config("mmdet::nope.py") is None
    assert zoo.find_checkpoint("nope") is None


def test_row_describes_parts_that_are_lists() -> None:
    model = {
        "type": "X",
        "neck": [{"type": "FPN", "out_channels": 256}, {"type": "DyHead", "out_channels": 128}],
        "backbone": {"type": "SwinTransformer"},
        "rpn_head": {},
        "roi_head": {"bbox_head": [{"num_classes": 20}]},
    }
    assert describe("x.py", model) == {
        "path": "x.py",
        "detector": "X",
        "num_classes": 20,
        "backbone": "SwinTransformer",
        "neck_channels": 128,
    }


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("gfl/gfl_r50_fpn_1x_coco.py", None),
        ("dino/dino-4scale_r50_8xb2-12e_coco.py", None),
        ("grid_rcnn/grid-rcnn_r50_fpn_gn-head_2x_coco.py", None),  # has a head for grids, which it makes from boxes
        ("boxinst/boxinst_r50_fpn_ms-90k_coco.py", None),  # learns masks from boxes
        ("rpn/rpn_r50_fpn_1x_coco.py", None),
        ("mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py", "masks of the objects"),
        ("rtmdet/rtmdet-ins_s_8xb32-300e_coco.py", "masks of the objects"),
        ("yolact/yolact_r50_1xb8-55e_coco.py", "masks of the objects"),
        ("fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py", "the boxes that another detector proposes"),
        ("glip/glip_atss_swin-t_a_fpn_dyhead_16xb2_ms-2x_funtune_coco.py", "texts"),
        ("qdtrack/qdtrack_faster-rcnn_r50_fpn_4e_base.py", "tracks of objects through videos"),
        ("soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.01-coco.py", "images without boxes beside those with"),
        ("lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py", "the trained teacher that its config names"),
    ],
)  # fmt: skip
def test_a_config_tells_what_its_detector_needs_beside_boxes(config: str, reason: str | None) -> None:
    found = zoo.find_config(f"mmdet::{config}")
    assert found is not None
    assert found.untrainable == (reason and f"it needs {reason}, not boxes alone")


def test_list_has_one_config_a_line() -> None:
    rows = [{"path": "a.py"}, {"path": "b.py"}]
    assert render("3.3.0", rows) == '{"mmdet":"3.3.0","configs":[\n{"path":"a.py"},\n{"path":"b.py"}\n]}\n'


@pytest.mark.parametrize("installed", [False, True])
def test_configs_are_found_in_a_checkout_and_in_a_wheel(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "orchestrator" / "_configs" if installed else tmp_path / "configs"
    (home / "zoo").mkdir(parents=True)
    monkeypatch.setattr(zoo, "__file__", str(tmp_path / "trainers" / "spec" / "zoo.py"))
    assert zoo.configs_dir() == home
