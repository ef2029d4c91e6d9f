"""The lists of configs and checkpoints agree with each other and with what studies need of them."""

import re
from pathlib import Path

import pytest

from trainers.spec import zoo
from trainers.zoo_index import describe, render


def test_every_checkpoint_names_a_known_config_of_its_own_name() -> None:
    for name in zoo.checkpoint_names():
        checkpoint = zoo.find_checkpoint(name)
        assert checkpoint is not None
        config = zoo.find_config(checkpoint.config)
        assert config is not None
        assert Path(config.path).stem == name
        assert config.num_classes == 80
        assert re.fullmatch(
            rf"https://download\.openmmlab\.com/mmdetection/v2\.0/\S+-{checkpoint.sha256}\.pth", checkpoint.url
        )
        assert 30.0 < checkpoint.ap < 50.0


def test_papers_teacher_is_known() -> None:
    checkpoint = zoo.find_checkpoint("gfl_r101_fpn_ms-2x_coco")
    assert checkpoint is not None
    assert (checkpoint.ap, checkpoint.sha256) == (44.7, "dd12f847")
    config = zoo.find_config("mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py")
    assert config == zoo.ZooConfig("gfl/gfl_r101_fpn_ms-2x_coco.py", "GFL", "GFLHead", 80, "ResNet", 101, 256)


def test_unknown_names_are_none() -> None:
    assert zoo.find_config("mmdet::nope.py") is None
    assert zoo.find_checkpoint("nope") is None


def test_row_describes_parts_that_are_lists() -> None:
    model = {
        "type": "X",
        "neck": [{"type": "FPN", "out_channels": 256}, {"type": "DyHead", "out_channels": 128}],
        "backbone": {"type": "SwinTransformer"},
        "roi_head": {"bbox_head": [{"num_classes": 20}]},
    }
    assert describe("x.py", model) == {
        "path": "x.py",
        "detector": "X",
        "head": None,
        "num_classes": 20,
        "backbone": "SwinTransformer",
        "depth": None,
        "neck_channels": 128,
    }


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
