"""Prove that public ImageNet weights, in the layouts that they come in, fill backbones whole or are refused.

The files are made here from the models themselves, under the public files' names, in a cache folder.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50

from tests.unit.trainers.tiny import CONFIG
from trainers.detectors.detector import build_student, model_config
from trainers.errors import TrialError
from trainers.formats import pretrained
from trainers.formats.pretrained import imagenet_weights, load_imagenet
from trainers.schema import Detector
from trainers.schema.pretrained import Pretrained, find_pretrained, pretrained_weights
from trainers.schema.remote import cached

GFL = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
CAFFE = "mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py"
DCN = "mmdet::gfl/gfl_x101-32x4d-dconv-c4-c5_fpn_ms-2x_coco.py"
MOBILE, SWIN = "stillhouse::gfl_mobilenetv2_fpn.py", "stillhouse::gfl_swint_fpn.py"
State = dict[str, Tensor]


def backbone(config: str, depth: int | None = None) -> Any:
    init_default_scope("mmdet")
    return MODELS.build(model_config(Detector(config=config, backbone_depth=depth), 3).backbone)  # type: ignore[arg-type]


def weights_of(config: str, depth: int | None = None) -> Pretrained:
    found = pretrained_weights(Detector(config=config, backbone_depth=depth))  # type: ignore[arg-type]
    assert found is not None
    return found


def published(weights: Pretrained, content: Any, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Pretrained:
    """Put a file into the cache as if it had been fetched; its hash cannot be the real one's."""
    monkeypatch.setenv("STILLHOUSE_CACHE", str(cache))
    url = f"https://example.org/{weights.url.rsplit('/', 1)[1].removesuffix('.pth')}-made-here.pth"
    cached(url).parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, cached(url))
    return Pretrained(weights.name, url, None, weights.drop, weights.fresh, weights.convert)


def filled(model: nn.Module) -> State:
    """Return random tensors for all of a model, none of them what an initialisation gives; integers stay."""
    state = model.state_dict()
    return {key: torch.rand_like(v) + 2.0 if v.is_floating_point() else v.clone() for key, v in state.items()}


def torchvisions(depth: int) -> Callable[[Any], State]:
    return lambda _: {18: resnet18, 50: resnet50}[depth](weights=None).state_dict()


def caffes(model: Any) -> State:
    """Lay a ResNet out as the converted Caffe files are: a bias in the stem, a classifier, no step counters."""
    state = {key: value for key, value in filled(model).items() if "num_batches_tracked" not in key}
    return state | {"conv1.bias": torch.ones(64), "fc.weight": torch.ones(1000, 2048), "fc.bias": torch.ones(1000)}


def without_offsets(model: Any) -> State:
    return {key: value for key, value in filled(model).items() if "conv_offset" not in key}


@pytest.mark.parametrize(
    ("config", "depth", "layout"),
    [
        (GFL, 18, torchvisions(18)),
        (GFL, None, torchvisions(50)),
        (CAFFE, None, caffes),
        (DCN, 50, without_offsets),
        (MOBILE, None, filled),
        (MOBILE, None, lambda model: {f"backbone.{key}": value for key, value in filled(model).items()}),
    ],
    ids=["torchvision-18", "torchvision-50", "caffe", "deformable", "mobilenet", "mobilenet-classifier"],
)
def test_public_layouts_fill_the_whole_backbone(
    config: str, depth: int | None, layout: Callable[[Any], State], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = backbone(config, depth)
    public = layout(model)
    load_imagenet(model, published(weights_of(config, depth), {"state_dict": public}, monkeypatch, tmp_path))
    own = model.state_dict()
    expected = {key.removeprefix("backbone."): value for key, value in public.items()}
    for key, value in own.items():
        if key in expected:
            assert torch.equal(value, expected[key]), key
        else:
            assert key.endswith("num_batches_tracked") or ".conv_offset." in key


def test_swins_original_names_and_patch_order_are_converted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = backbone(SWIN)
    target = filled(model)
    # The authors merge four neighbours in the order (0,0), (1,0), (0,1), (1,1) as blocks of channels; mmdet's unfold
    # keeps each channel's four neighbours together, row by row. ``originals`` undoes that, written from this sentence.
    content = {"model": originals(target) | {"head.weight": torch.ones(1000, 768), "norm.weight": torch.ones(768)}}
    load_imagenet(model, published(weights_of(SWIN), content, monkeypatch, tmp_path))
    own = model.state_dict()
    fresh = [key for key in own if not torch.equal(own[key], target[key])]
    assert sorted(fresh) == sorted(f"norm{stage}.{name}" for stage in (1, 2, 3) for name in ("weight", "bias"))


def originals(state: State) -> State:
    """Write mmdet's Swin weights under the authors' names and in their order of merged patches."""
    found: State = {}
    for key, value in state.items():
        if key.startswith("norm"):
            continue
        name = key.replace("stages.", "layers.").replace("attn.w_msa.", "attn.")
        name = name.replace("ffn.layers.0.0.", "mlp.fc1.").replace("ffn.layers.1.", "mlp.fc2.")
        name = name.replace("patch_embed.projection", "patch_embed.proj")
        if "downsample" in key:
            by_channel = value.reshape(*value.shape[:-1], -1, 4)  # (..., channel, neighbour row by row)
            value = torch.cat([by_channel[..., neighbour] for neighbour in (0, 2, 1, 3)], dim=-1)
        found[name] = value
    return found


def test_imagenet_weights_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = backbone(GFL, 18)
    state = filled(model)
    del state["conv1.weight"]
    state["bn1.bias"] = torch.ones(3)
    weights = published(weights_of(GFL, 18), state, monkeypatch, tmp_path)
    with pytest.raises(
        TrialError, match=r"resnet18 do not fit .*missing: 1 \(conv1.weight\); other shape: 1 \(bn1.bias"
    ):
        load_imagenet(model, weights)


def test_a_backbone_without_imagenet_weights_is_refused() -> None:
    class Config(dict):  # type: ignore[type-arg]
        type = "CSPDarknet"

    with pytest.raises(TrialError, match="YOLOX trains from scratch, say weights: random"):
        imagenet_weights(Config())


def test_a_student_starts_from_its_backbones_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("trainers.detectors.detector.load_imagenet", lambda model, weights: asked.append(weights))
    build_student(Detector(config="stillhouse::gfl_r18_fpn.py", backbone_depth=34), 3, seed=0)
    assert asked == [find_pretrained("ResNet", 34, "torchvision://resnet34")]


def test_imagenet_weights_are_skipped_when_others_are_about_to_replace_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "read_state_dict", lambda _: pytest.fail("asked for ImageNet weights"))
    build_student(Detector(config=CONFIG), 3, seed=0, pretrained=False)
