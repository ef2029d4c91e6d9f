"""A config that is read as text says what mmengine makes of it, in the styles in which people write theirs."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from trainers.schema import zoo
from trainers.schema.config_files import read_config
from trainers.schema.config_values import UNKNOWN

GFL = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
BASE = """\
norm_cfg = dict(type='BN', requires_grad=True)
channels = [64, 128]
model = dict(
    type='GFL',
    backbone=dict(type='ResNet', depth=18, norm_cfg=norm_cfg, out_indices=(0, 1)),
    neck=dict(type='FPN', in_channels=channels, num_outs=2),
    bbox_head=dict(type='GFLHead', reg_max=16, strides=[2**1 if False else 8, 16]))
"""
STYLES = {
    "mmdet 2.x": "_base_ = ['../_base_/models/gfl.py', '../_base_/run.py']\nmodel = dict(bbox_head=dict(num_classes=3))\n",
    "mmdet 3.x": f"_base_ = '{GFL}'\nmax_epochs = 3\nmodel = dict(backbone=dict(depth=max_epochs * 6))\n",
    "deleted": "_base_ = ['../_base_/models/gfl.py']\nmodel = dict(neck=dict(_delete_=True, type='PAFPN'))\n",
    "base values": "_base_ = '../_base_/models/gfl.py'\nmodel = dict(neck=dict(out_channels={{_base_.channels}}))\n",
    "base attribute": "_base_ = '../_base_/models/gfl.py'\nc = _base_.model\nc.neck.num_outs = 5\nmodel = c\n",
    "nested names": "_base_ = ['./middle.py']\nmodel = dict(test_cfg={'nms': {'iou': 0.5}})\n",
    "in place": "_base_ = []\nmodel = dict(type='GFL', neck=dict())\nmodel['neck']['x'] = 1\nmodel.update(y=2)\n",
    "expressions": "a = 'Res' + 'Net'\nd = dict(type=a, **dict(depth=-1 + 2))\nmodel = dict(backbone=d, s=(1, *[2, 3]), f=f'{a}-')\n",
    "by file name": "model = dict(type='GFL', name='{{ fileBasenameNoExtension }}-{{$NO_SUCH_VARIABLE:8}}')\n",
    "read_base": "from mmengine.config import read_base\nwith read_base():\n    from .middle import *\n"
    "model.update(dict(bbox_head=dict(reg_max=3)))\nmodel.merge(dict(neck=dict(_delete_=True, a=1)))\n",
    "read_base of some": "from mmengine.config import read_base\nwith read_base():\n    from .middle import model as base\n"
    "model = dict(type='GFL', backbone=base.backbone)\n",
    "read_base, by method": "from mmengine.config import read_base\nwith read_base():\n    from .middle import *\n"
    "model.bbox_head.update(x=2)\ndel model['neck']\nmodel.neck = dict(a=1)\n",
}


@pytest.fixture
def leaf(tmp_path: Path) -> Path:
    """Write the bases that the styles build on, and return where the config goes."""
    for name, text in {
        "_base_/models/gfl.py": BASE,
        "_base_/run.py": "log_level = 'INFO'\n",
        "mine/middle.py": BASE,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "mine" / "leaf.py"


def plain(value: Any) -> Any:
    """Return a config's values as JSON has them: tuples as lists."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "_scope_"}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def known(mine: Any, theirs: Any) -> Any:
    """Return ``theirs`` with the parts that are not known of ``mine`` left open, too."""
    if mine is UNKNOWN:
        return UNKNOWN
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return {key: known(mine.get(key), item) for key, item in theirs.items()}
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        return [known(one, other) for one, other in zip(mine, theirs, strict=True)]
    return theirs


@pytest.mark.parametrize("style", STYLES)
def test_a_config_read_as_text_says_what_mmengine_makes_of_it(style: str, leaf: Path) -> None:
    leaf.write_text(STYLES[style])
    mine, theirs = read_config(leaf), Config.fromfile(leaf)
    assert not mine.problems
    found = plain(mine.values["model"])
    assert found == known(found, plain(theirs.model.to_dict()))
    assert set(mine.values) >= set(theirs.keys()) - {"read_base"}


def test_shipped_configs_read_as_text_say_what_mmengine_makes_of_them(tmp_path: Path) -> None:
    distilled = ("GFLHead", "ATSSHead", "FCOSHead", "RetinaHead", "YOLOXHead")
    names = [name for name in zoo.config_names() if (found := zoo.find_config(name)) and found.head in distilled]
    for name in [name for name in names if name.startswith("mmdet::")][::9]:
        leaf = tmp_path / "leaf.py"
        leaf.write_text(f"_base_ = '{name}'\n")
        mine = read_config(leaf)
        if "custom_imports" in mine.values:  # of packages that are not here
            continue
        found = plain(mine.values["model"])
        assert found == known(found, plain(Config.fromfile(leaf).model.to_dict())), name
        assert not mine.values.get("load_from"), name
