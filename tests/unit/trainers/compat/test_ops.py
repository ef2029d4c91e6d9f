"""Compare the stand-in for mmcv's compiled operators with slow float64 references written from the definitions."""

import importlib
import importlib.machinery
import importlib.util
import math
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from trainers.compat import ops

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def assert_same(found: Any, expected: Any, rtol: float = 1e-10, atol: float = 1e-12) -> None:
    """Compare tensors, or sequences of tensors, by value; a narrower dtype than the reference's is fine."""
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, check_dtype=False)


@pytest.fixture(scope="module")
def mmcv_ops() -> ModuleType:
    ops.install()
    return importlib.import_module("mmcv.ops")


@pytest.fixture
def without_ops(mmcv_ops: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return mmcv as it is before install(); afterwards it is again as it was."""
    mmcv = importlib.import_module("mmcv")
    monkeypatch.delitem(sys.modules, ops.NAME)
    monkeypatch.setattr(mmcv, "_ext", None)
    found = importlib.util.find_spec(ops.NAME)
    if found is not None and not isinstance(found.loader, ops.OperatorLoader):
        pytest.skip("this mmcv is compiled")
    return mmcv


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------------------ installation


def test_install_puts_an_importable_module_in_place_once(without_ops: ModuleType) -> None:
    assert ops.install() is True
    installed = importlib.import_module("mmcv._ext")
    assert without_ops._ext is installed
    assert installed.__spec__ is not None
    assert importlib.util.find_spec("mmcv._ext") is installed.__spec__
    assert importlib.import_module("mmcv.utils.ext_loader").check_ops_exist()

    assert ops.install() is True
    assert sys.modules["mmcv._ext"] is installed


def test_a_compiled_module_on_disk_is_respected(
    without_ops: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "_ext.py").write_text("origin = 'compiled'\n")
    monkeypatch.setattr(without_ops, "__path__", [*without_ops.__path__, str(tmp_path)])
    assert ops.install() is False
    assert "mmcv._ext" not in sys.modules
    assert importlib.import_module("mmcv._ext").origin == "compiled"


def test_a_compiled_module_already_imported_is_respected(
    without_ops: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = ModuleType(ops.NAME)
    compiled.__spec__ = importlib.machinery.ModuleSpec(ops.NAME, None)
    monkeypatch.setitem(sys.modules, ops.NAME, compiled)
    assert ops.install() is False
    assert sys.modules[ops.NAME] is compiled
    assert without_ops._ext is None


def test_an_operator_without_counterpart_names_itself_and_the_way_out(without_ops: ModuleType) -> None:
    ops.install()
    operator = without_ops._ext.border_align_forward
    with pytest.raises(NotImplementedError, match=r"'border_align_forward'.*compiled mmcv"):
        operator(torch.zeros(1), kernel_size=5)


def test_dunder_names_are_not_operators(without_ops: ModuleType) -> None:
    ops.install()
    assert not hasattr(without_ops._ext, "__path__")
    with pytest.raises(AttributeError, match="__wrapped__"):
        _ = without_ops._ext.__wrapped__


def test_mmcv_reports_its_environment(mmcv_ops: ModuleType) -> None:
    assert isinstance(mmcv_ops.get_compiler_version(), str)
    assert isinstance(mmcv_ops.get_compiling_cuda_version(), str)


def test_mmdet_models_import_and_compute_the_focal_loss(mmcv_ops: ModuleType) -> None:
    importlib.import_module("mmdet.models")
    losses = importlib.import_module("mmdet.models.losses.focal_loss")
    logits = torch.randn(6, 3, generator=generator(0), dtype=torch.float64)
    target = torch.tensor([0, 1, 2, 3, 3, 0])
    fused = losses.sigmoid_focal_loss(logits, target, reduction="sum")
    one_hot = functional.one_hot(target, 4)[:, :3]
    torch.testing.assert_close(fused, losses.py_sigmoid_focal_loss(logits, one_hot, reduction="sum"))


# ------------------------------------------------------------------------------------------------- suppression

Box = list[float]


def reference_iou(a: Box, b: Box, offset: int) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b)]
    union = sum(areas) - width * height
    return width * height / union if union else 0.0


def reference_nms(boxes: list[Box], scores: list[float], threshold: float, offset: int) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(reference_iou(boxes[index], boxes[k], offset) <= threshold for k in kept):
            kept.append(index)
    return kept


def reference_soft_nms(
    boxes: list[Box], scores: list[float], threshold: float, sigma: float, least: float, method: str, offset: int
) -> list[tuple[int, float]]:
    """Follow Bodla et al. 2017, figure 2, with mmcv's rule that a decayed score below ``least`` ends a box."""
    left, kept = dict(enumerate(scores)), []
    while left:
        best = min(left, key=lambda i: (-left[i], i))
        kept.append((best, left.pop(best)))
        for index in list(left):
            iou = reference_iou(boxes[best], boxes[index], offset)
            beyond = {"naive": 0.0, "linear": 1.0 - iou}
            left[index] *= math.exp(-(iou**2) / sigma) if method == "gaussian" else beyond[method] ** (iou >= threshold)
            if left[index] < least:
                del left[index]
    return kept


def boxes_on_a_grid(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Draw boxes with whole corners and scores in tenths, so that equal boxes, equal scores and equal IoUs do occur."""
    corner = torch.randint(0, 8, (count, 2), generator=generator(seed))
    size = torch.randint(0, 6, (count, 2), generator=generator(seed + 1000))
    scores = torch.randint(1, 10, (count,), generator=generator(seed + 2000)) / 10
    return torch.cat((corner, corner + size), dim=1).double(), scores.double()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5])
def test_nms_keeps_what_the_definition_keeps(mmcv_ops: ModuleType, offset: int, threshold: float, device: str) -> None:
    for seed in range(5):
        boxes, scores = boxes_on_a_grid(seed, 40)
        dets, kept = mmcv_ops.nms(boxes.to(device), scores.to(device), threshold, offset=offset)
        assert kept.tolist() == reference_nms(boxes.tolist(), scores.tolist(), threshold, offset)
        assert torch.equal(dets.cpu(), torch.cat((boxes, scores[:, None]), dim=1)[kept.cpu()])


def test_nms_offset_changes_the_outcome(mmcv_ops: ModuleType) -> None:
    boxes, scores = torch.tensor([[0.0, 0, 1, 1], [1, 0, 2, 1]]), torch.tensor([0.9, 0.8])
    assert mmcv_ops.nms(boxes, scores, 0.2, offset=0)[1].tolist() == [0, 1]  # the boxes touch
    assert mmcv_ops.nms(boxes, scores, 0.2, offset=1)[1].tolist() == [0]  # 2x2 pixels each, two shared: 2/6


def test_nms_keeps_a_box_at_the_very_threshold(mmcv_ops: ModuleType) -> None:
    boxes, scores = torch.tensor([[0.0, 0, 2, 1], [0, 0, 1, 1]]), torch.tensor([0.9, 0.8])
    assert mmcv_ops.nms(boxes, scores, 0.5)[1].tolist() == [0, 1]
    assert mmcv_ops.nms(boxes, scores, 0.49)[1].tolist() == [0]


def test_nms_filters_by_score_and_counts(mmcv_ops: ModuleType) -> None:
    boxes, scores = boxes_on_a_grid(3, 40)
    admitted = [i for i in range(40) if scores[i] > 0.35]
    expected = reference_nms([boxes[i].tolist() for i in admitted], [float(scores[i]) for i in admitted], 0.3, 0)
    assert len(expected) > 4
    _, kept = mmcv_ops.nms(boxes.numpy(), scores.numpy(), 0.3, score_threshold=0.35, max_num=4)
    assert kept.tolist() == [admitted[i] for i in expected[:4]]


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_of_nothing_is_nothing(mmcv_ops: ModuleType, offset: int) -> None:
    dets, kept = mmcv_ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5, offset=offset)
    assert dets.shape == (0, 5)
    assert kept.shape == (0,)
    assert kept.dtype == torch.long


@pytest.mark.parametrize("dtypes", [(torch.float32, torch.float16), (torch.bfloat16, torch.bfloat16)])
def test_nms_takes_the_dtypes_of_mixed_precision(mmcv_ops: ModuleType, dtypes: tuple[torch.dtype, torch.dtype]) -> None:
    boxes, scores = boxes_on_a_grid(7, 30)  # with IoUs of exactly 0.4, which stay in any precision
    _, kept = mmcv_ops.nms(boxes.to(dtypes[0]), scores.to(dtypes[1]), 0.4)
    assert kept.tolist() == reference_nms(boxes.tolist(), scores.tolist(), 0.4, 0)


def test_batched_nms_suppresses_within_a_class_only(mmcv_ops: ModuleType) -> None:
    boxes, scores = boxes_on_a_grid(11, 40)
    scores += torch.rand(40, generator=generator(1), dtype=torch.float64) / 100  # no ties: classes come in any order
    classes = torch.randint(0, 3, (40,), generator=generator(2))
    expected = []
    for label in range(3):
        own = (classes == label).nonzero().flatten().tolist()
        kept_here = reference_nms([boxes[i].tolist() for i in own], [float(scores[i]) for i in own], 0.3, 0)
        expected += [own[i] for i in kept_here]
    dets, kept = mmcv_ops.batched_nms(boxes, scores, classes, {"type": "nms", "iou_threshold": 0.3})
    assert kept.tolist() == sorted(expected, key=lambda i: -float(scores[i]))
    assert torch.equal(dets[:, :4], boxes[kept])


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
def test_soft_nms_decays_as_defined(mmcv_ops: ModuleType, method: str, offset: int) -> None:
    for seed in range(3):
        boxes, scores = boxes_on_a_grid(seed, 25)
        scores += torch.rand(25, generator=generator(seed), dtype=torch.float64) / 100  # no ties: rounding decides them
        options = {"iou_threshold": 0.3, "sigma": 0.4, "min_score": 0.15, "method": method, "offset": offset}
        dets, kept = mmcv_ops.soft_nms(boxes, scores, **options)
        expected = reference_soft_nms(boxes.tolist(), scores.tolist(), 0.3, 0.4, 0.15, method, offset)
        assert 1 < len(expected) < 25
        assert kept.tolist() == [index for index, _ in expected]
        assert torch.equal(dets[:, :4], boxes[kept])
        assert dets[:, 4].tolist() == pytest.approx([score for _, score in expected], rel=1e-12)


def test_soft_nms_of_nothing_is_nothing(mmcv_ops: ModuleType) -> None:
    dets, kept = mmcv_ops.soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert dets.shape == (0, 5)
    assert kept.shape == (0,)


# -------------------------------------------------------------------------------------- deformable convolution


class Layer(NamedTuple):
    """Describe one geometry, every pair (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    deform_groups: int = 1

    def output_size(self, image: tuple[int, int]) -> tuple[int, int]:
        rows, columns = (
            (side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for side, pad, dilation, kernel, stride in zip(
                image, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )
        return rows, columns

    def arguments(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, self.groups, self.deform_groups


IMAGE = (5, 6)
LAYERS = {
    "plain": Layer((3, 3), padding=(1, 1)),
    "every pair uneven": Layer((2, 3), stride=(2, 1), padding=(1, 2), dilation=(2, 1)),
    "groups": Layer((2, 2), groups=2, deform_groups=1, padding=(1, 0)),
    "deform groups": Layer((1, 3), groups=1, deform_groups=4, dilation=(1, 2)),
    "both groups, crossed": Layer((3, 2), stride=(1, 2), padding=(0, 1), groups=4, deform_groups=2),
}


class Inputs(NamedTuple):
    features: Tensor
    offset: Tensor
    mask: Tensor
    weight: Tensor
    bias: Tensor

    def leaves(self, device: str = "cpu") -> "Inputs":
        return Inputs(*(tensor.detach().clone().to(device).requires_grad_() for tensor in self))


def draw(layer: Layer, seed: int = 0) -> Inputs:
    """Draw two images of 4 channels; the offsets reach far enough that many taps lie partly or wholly outside."""
    rng, (rows, columns) = generator(seed), layer.output_size(IMAGE)
    taps = layer.deform_groups * math.prod(layer.kernel)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    return Inputs(
        features=normal(2, 4, *IMAGE),
        offset=1.5 * normal(2, 2 * taps, rows, columns),
        mask=torch.rand(2, taps, rows, columns, generator=rng, dtype=torch.float64),
        weight=normal(8, 4 // layer.groups, *layer.kernel),
        bias=normal(8),
    )


def bilinear(planes: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Read planes (C, H, W) at one point: sum over q of G(q, p) x(q), Dai et al. 2017, equations 3 and 4."""
    value = planes.new_zeros(len(planes))
    top, left = int(y.detach().floor()), int(x.detach().floor())
    for row, column in product((top, top + 1), (left, left + 1)):
        if 0 <= row < planes.shape[1] and 0 <= column < planes.shape[2]:
            value = value + (1 - (y - row).abs()) * (1 - (x - column).abs()) * planes[:, row, column]
    return value


def patch(layer: Layer, inputs: Inputs, image: int, row: int, column: int) -> Tensor:
    """Return the modulated samples (C, kH, kW) that one output position of one image sees."""
    height, width = layer.kernel
    blocks = []
    for block, planes in enumerate(inputs.features[image].chunk(layer.deform_groups)):
        samples = []
        for ky, kx in product(range(height), range(width)):
            tap = (block * height + ky) * width + kx
            dy, dx = inputs.offset[image, 2 * tap, row, column], inputs.offset[image, 2 * tap + 1, row, column]
            y = row * layer.stride[0] - layer.padding[0] + ky * layer.dilation[0] + dy
            x = column * layer.stride[1] - layer.padding[1] + kx * layer.dilation[1] + dx
            samples.append(inputs.mask[image, tap, row, column] * bilinear(planes, y, x))
        blocks.append(torch.stack(samples, dim=1).reshape(-1, height, width))
    return torch.cat(blocks)


def reference_convolution(layer: Layer, inputs: Inputs) -> Tensor:
    """Sum w_k x(p + p_k + dp_k) dm_k over k, Zhu et al. 2019, equation 1; version 1 has dm_k = 1."""
    rows, columns = layer.output_size(IMAGE)
    filters = len(inputs.weight)
    values = []
    for image, row, column in product(range(2), range(rows), range(columns)):
        groups = patch(layer, inputs, image, row, column).chunk(layer.groups)
        values += [
            (inputs.weight[index] * groups[index * layer.groups // filters]).sum() + inputs.bias[index]
            for index in range(filters)
        ]
    return torch.stack(values).reshape(2, rows, columns, filters).permute(0, 3, 1, 2)


def gradients(output: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """Return the gradients of a sum of the output with fixed random weights."""
    weights = torch.randn(output.shape, generator=generator(99), dtype=torch.float64).to(output)
    return [gradient.cpu() for gradient in torch.autograd.grad((output * weights).sum(), inputs)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_deform_conv_matches_the_definition(mmcv_ops: ModuleType, layer: Layer, device: str) -> None:
    drawn = draw(layer)
    drawn = drawn._replace(mask=torch.ones_like(drawn.mask), bias=torch.zeros_like(drawn.bias))
    slow, fast = drawn.leaves(), drawn.leaves(device)
    expected = reference_convolution(layer, slow)
    # One image at a time (the last argument), which must not show.
    output = mmcv_ops.deform_conv2d(fast.features, fast.offset, fast.weight, *layer.arguments(), False, 1)
    assert_same(output.cpu(), expected)
    wanted = gradients(expected, [slow.features, slow.offset, slow.weight])
    assert_same(gradients(output, [fast.features, fast.offset, fast.weight]), wanted)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_modulated_deform_conv_matches_the_definition(mmcv_ops: ModuleType, layer: Layer, device: str) -> None:
    drawn = draw(layer)
    slow, fast = drawn.leaves(), drawn.leaves(device)
    expected = reference_convolution(layer, slow)
    output = mmcv_ops.modulated_deform_conv2d(*fast, *layer.arguments())
    assert_same(output.cpu(), expected)
    assert_same(gradients(output, [*fast]), gradients(expected, [*slow]))


def test_modulated_deform_conv_works_without_bias_and_on_channels_last(mmcv_ops: ModuleType) -> None:
    layer = LAYERS["both groups, crossed"]
    drawn = draw(layer)
    drawn = drawn._replace(bias=torch.zeros_like(drawn.bias))
    slow, fast = drawn.leaves(), drawn.leaves()
    features = fast.features.contiguous(memory_format=torch.channels_last)
    expected = reference_convolution(layer, slow)
    output = mmcv_ops.modulated_deform_conv2d(features, *fast[1:4], None, *layer.arguments())
    assert_same(output, expected)
    assert_same(gradients(output, [*fast[:4]]), gradients(expected, [*slow[:4]]))


def test_offsets_that_are_not_finite_are_read_at_their_own_place() -> None:
    offset = torch.tensor([[float("nan"), float("inf"), float("-inf"), 1.5, -2.0]])
    assert ops.finite(offset).tolist() == [[0.0, 0.0, 0.0, 1.5, -2.0]]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_offset_that_is_not_finite_spoils_its_own_place_and_not_the_process(
    mmcv_ops: ModuleType, value: float
) -> None:
    layer = LAYERS["plain"]
    sound, hurt = draw(layer), draw(layer)
    hurt.offset[1, 3, 0, 2] = value
    expected = mmcv_ops.modulated_deform_conv2d(*sound, *layer.arguments())
    hurt.features.requires_grad_()
    output = mmcv_ops.modulated_deform_conv2d(*hurt, *layer.arguments())
    assert output[1, :, 0, 2].isnan().all()
    elsewhere = ~output.isnan()
    assert int(elsewhere.sum()) == output.numel() - output.shape[1]
    assert_same(output[elsewhere], expected[elsewhere])
    output[elsewhere].sum().backward()
    assert hurt.features.grad is not None
    assert bool(hurt.features.grad[0].isfinite().all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_deform_conv_rounds_only_its_inputs_and_results_in_narrow_dtypes(
    mmcv_ops: ModuleType, dtype: torch.dtype
) -> None:
    layer = LAYERS["plain"]
    drawn = Inputs(*(tensor.to(dtype).double() for tensor in draw(layer)))
    narrow = Inputs(*(tensor.to(dtype).requires_grad_() for tensor in drawn))
    wide = drawn.leaves()
    output = mmcv_ops.modulated_deform_conv2d(*narrow, *layer.arguments())
    expected = mmcv_ops.modulated_deform_conv2d(*wide, *layer.arguments())
    eps = torch.finfo(dtype).eps  # rounding the result costs half of it; the rest is float32's own error near zero
    assert output.dtype == dtype
    assert_same(output, expected, rtol=eps, atol=1e-5)
    cotangent = torch.ones_like(expected)
    found = torch.autograd.grad(output, [*narrow], cotangent.to(dtype))
    assert_same(found, torch.autograd.grad(expected, [*wide], cotangent), rtol=eps, atol=1e-5)


@pytest.mark.parametrize(("name", "modulation"), [("DeformConv2dPack", 1.0), ("ModulatedDeformConv2dPack", 0.5)])
def test_a_fresh_layer_is_a_plain_convolution(mmcv_ops: ModuleType, name: str, modulation: float) -> None:
    layer = getattr(mmcv_ops, name)(4, 6, 3, stride=2, padding=1, groups=2, deform_groups=2)
    features = torch.randn(2, 4, 7, 9, generator=generator(5))
    expected = functional.conv2d(features, layer.weight, None, 2, 1, 1, 2)
    output = layer(features)
    torch.testing.assert_close(output, modulation * expected)
    output.sum().backward()
    assert torch.isfinite(layer.conv_offset.weight.grad).all()


# -------------------------------------------------------------------------------------------------- focal loss


def reference_focal(logits: Tensor, target: Tensor, gamma: float, alpha: float, weight: Tensor | None) -> Tensor:
    """Return -a_t (1 - p_t) ** gamma * log(p_t), Lin et al. 2017, equation 5, (N, C) with a graph."""
    losses = []
    for row, column in product(range(len(logits)), range(logits.shape[1])):
        label = int(target[row])
        signed, balance = (logits[row, column], alpha) if column == label else (-logits[row, column], 1 - alpha)
        hit, miss = 1 / (1 + torch.exp(-signed)), 1 / (1 + torch.exp(signed))
        scale = 1.0 if weight is None or not 0 <= label < logits.shape[1] else float(weight[label])
        losses.append(-scale * balance * miss**gamma * torch.log(hit))
    return torch.stack(losses).reshape(logits.shape)


TARGET = torch.tensor([0, 1, 2, 3, 2, 0])  # of three classes: 3 is background
WEIGHT = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
REDUCE: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda loss: loss,
    "sum": lambda loss: loss.sum(),
    "mean": lambda loss: loss.sum() / len(loss),  # mmcv's mean is over rows, not over logits
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, 0.5), (1.5, 0.9)])
def test_focal_loss_matches_the_definition(
    mmcv_ops: ModuleType, gamma: float, alpha: float, weight: Tensor | None, reduction: str, device: str
) -> None:
    drawn = 3 * torch.randn(6, 3, generator=generator(8), dtype=torch.float64)
    slow, fast = drawn.clone().requires_grad_(), drawn.clone().to(device).requires_grad_()
    class_weight = None if weight is None else weight.to(device)
    expected = REDUCE[reduction](reference_focal(slow, TARGET, gamma, alpha, weight))
    loss = mmcv_ops.sigmoid_focal_loss(fast, TARGET.to(device), gamma, alpha, class_weight, reduction)
    assert_same(loss.cpu(), expected)
    assert_same(gradients(loss, [fast]), gradients(expected, [slow]))


@pytest.mark.parametrize("background", [3, 7, -1])
def test_every_label_that_is_no_class_is_background(mmcv_ops: ModuleType, background: int) -> None:
    logits = torch.randn(2, 3, generator=generator(4), dtype=torch.float64)
    target = torch.full((2,), background)
    loss = mmcv_ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, WEIGHT, "none")
    assert_same(loss, reference_focal(logits, target, 2.0, 0.25, WEIGHT))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_focal_loss_is_right_at_extreme_logits(mmcv_ops: ModuleType, dtype: torch.dtype) -> None:
    values = torch.tensor([[-100.0, 100.0], [100.0, -100.0], [-30.0, 30.0]], dtype=torch.float64)
    target = torch.tensor([0, 1, 2])
    slow, fast = values.clone().requires_grad_(), values.to(dtype).requires_grad_()
    expected = reference_focal(slow, target, 2.0, 0.25, None)
    loss = mmcv_ops.sigmoid_focal_loss(fast, target, 2.0, 0.25, None, "none")
    assert loss.dtype == dtype
    rtol = max(torch.finfo(dtype).eps, 1e-10)
    assert_same(loss, expected, rtol)
    (found,) = torch.autograd.grad(loss.double().sum(), fast)
    (wanted,) = torch.autograd.grad(expected.sum(), slow)
    assert_same(found, wanted, rtol)
