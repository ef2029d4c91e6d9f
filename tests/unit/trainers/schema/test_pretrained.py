"""Each backbone that starts from ImageNet weights gets the right public file, and no other one does."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from trainers.schema import Detector
from trainers.schema.pretrained import find_pretrained, none_known, pretrained_names, pretrained_weights

GFL, FCOS = "mmdet::gfl/gfl_r50_fpn_1x_coco.py", "mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py"
X101 = "mmdet::gfl/gfl_x101-32x4d_fpn_ms-2x_coco.py"


def url(config: str, depth: int | None = None) -> str | None:
    found = pretrained_weights(Detector(config=config, backbone_depth=depth))  # type: ignore[arg-type]
    return None if found is None else found.url


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_a_resnet_takes_torchvisions_weights_of_its_depth(depth: int) -> None:
    from torchvision.models import get_weight

    public = get_weight(f"ResNet{depth}_Weights.IMAGENET1K_V1").url
    assert url(GFL, depth) == public
    unnamed = find_pretrained("ResNet", depth, None)
    assert unnamed is not None
    assert unnamed.url == public


@pytest.mark.parametrize(
    ("config", "depth", "file"),
    [
        (GFL, None, "resnet50-0676ba61.pth"),
        ("stillhouse::gfl_r18_fpn.py", None, "resnet18-f37072fd.pth"),
        ("stillhouse::gfl_r34_fpn.py", None, "resnet34-b627a593.pth"),
        (FCOS, None, "resnet50_caffe-788b5fa3.pth"),
        (FCOS, 101, "resnet101_caffe-3ad79236.pth"),
        (X101, None, "resnext101_32x4d-a5af3160.pth"),
        (X101, 50, "resnext50-32x4d-0ab1a123.pth"),
        ("stillhouse::gfl_mobilenetv2_fpn.py", None, "mobilenet_v2_batch256_imagenet-ff34753d.pth"),
        ("stillhouse::gfl_swint_fpn.py", None, "swin_tiny_patch4_window7_224.pth"),
    ],
)
def test_the_papers_backbones_have_weights(config: str, depth: int | None, file: str) -> None:
    found = url(config, depth)
    assert found is not None
    assert found.rsplit("/", 1)[1] == file


@pytest.mark.parametrize(
    ("config", "depth"),
    [
        (FCOS, 18),
        (X101, 152),
        ("mmdet::yolox/yolox_s_8xb8-300e_coco.py", None),
        ("local.py", None),
        ("mmdet::no.py", 18),
    ],
)
def test_what_has_no_weights_gets_none(config: str, depth: int | None) -> None:
    assert url(config, depth) is None


def test_yolox_is_told_to_train_from_scratch() -> None:
    assert none_known("CSPDarknet", None).endswith("YOLOX trains from scratch, say weights: random")


def test_addresses_are_those_of_mmengine() -> None:
    spec = find_spec("mmengine")
    assert spec is not None
    assert spec.origin is not None
    hub = Path(spec.origin).parent / "hub"
    files = ("torchvision_0.12.json", "openmmlab.json")
    known = {key: url for file in files for key, url in json.loads((hub / file).read_text()).items()}
    for name in pretrained_names():
        row = find_pretrained(None, None, name)
        assert row is not None
        if name.startswith("https://"):
            assert row.url == name
        else:
            assert row.url == known[name.split("://")[1]]
            assert row.sha256 is not None
            assert row.url.endswith(f"-{row.sha256}.pth")
