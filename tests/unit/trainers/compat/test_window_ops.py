"""Compare regions, deformable attention and windows with slow float64 references written from the definitions."""

import importlib
import math
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from trainers.compat import ops

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(scope="module")
def mmcv_ops() -> Any:
    ops.install()
    return importlib.import_module("mmcv.ops")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shares(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(found.cpu().double(), expected, rtol=tolerance, atol=tolerance)


def pixel(image: Tensor, y: int, x: int) -> float:
    """Return one pixel of (H, W), 0 outside."""
    inside = 0 <= y < image.shape[0] and 0 <= x < image.shape[1]
    return float(image[y, x]) if inside else 0.0


def bilinear(image: Tensor, y: float, x: float) -> float:
    """Return the value between pixels whose centres lie at whole numbers, 0 outside."""
    top, left = math.floor(y), math.floor(x)
    return sum(
        pixel(image, top + dy, left + dx) * (1 - abs(y - top - dy)) * (1 - abs(x - left - dx))
        for dy, dx in product((0, 1), (0, 1))
    )


# ---------------------------------------------------------------------------------------------------- attention

SHAPES = [(4, 6), (2, 3)]
BATCH, QUERIES, HEADS, CHANNELS, POINTS = 2, 3, 2, 4, 2


def attention_inputs() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return values, shapes, starts, locations (some outside the maps) and weights."""
    keys = sum(height * width for height, width in SHAPES)
    weights = shares(BATCH, QUERIES, HEADS, len(SHAPES), POINTS, seed=3)
    locations = 1.4 * shares(BATCH, QUERIES, HEADS, len(SHAPES), POINTS, 2, seed=2) - 0.2
    starts = torch.tensor([0, SHAPES[0][0] * SHAPES[0][1]])
    return drawn(BATCH, keys, HEADS, CHANNELS, seed=1), torch.tensor(SHAPES), starts, locations, weights


def reference_attention(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """Follow Deformable DETR, equation 3: a pixel's centre lies half a pixel from its map's border."""
    result = torch.zeros(BATCH, QUERIES, HEADS * CHANNELS, dtype=torch.float64)
    ends = [0, *torch.tensor([height * width for height, width in SHAPES]).cumsum(0).tolist()]
    places = product(range(BATCH), range(QUERIES), range(HEADS), range(CHANNELS), range(len(SHAPES)), range(POINTS))
    for image, query, head, channel, level, point in places:
        height, width = SHAPES[level]
        level_map = value[image, ends[level] : ends[level + 1], head, channel].view(height, width)
        x, y = locations[image, query, head, level, point].tolist()
        sampled = bilinear(level_map, y * height - 0.5, x * width - 0.5)
        result[image, query, head * CHANNELS + channel] += weights[image, query, head, level, point] * sampled
    return result


@pytest.mark.parametrize("device", DEVICES)
def test_deformable_attention_is_its_definition(mmcv_ops: Any, device: str) -> None:
    value, shapes, starts, locations, weights = attention_inputs()
    attention = importlib.import_module("mmcv.ops.multi_scale_deform_attn").MultiScaleDeformableAttnFunction.apply
    found = attention(*(tensor.to(device) for tensor in (value, shapes, starts, locations, weights)), 64)
    close(found, reference_attention(value, locations, weights))


def test_gradients_of_deformable_attention_are_differences(mmcv_ops: Any) -> None:
    value, shapes, starts, locations, weights = attention_inputs()
    attention = importlib.import_module("mmcv.ops.multi_scale_deform_attn").MultiScaleDeformableAttnFunction.apply
    leaves = [tensor.requires_grad_() for tensor in (value, locations, weights)]
    assert torch.autograd.gradcheck(lambda v, places, w: attention(v, shapes, starts, places, w, 64), leaves)


def test_deformable_attention_keeps_half_precision(mmcv_ops: Any) -> None:
    value, shapes, starts, locations, weights = attention_inputs()
    attention = importlib.import_module("mmcv.ops.multi_scale_deform_attn").MultiScaleDeformableAttnFunction.apply
    found = attention(value.bfloat16(), shapes, starts, locations, weights, 64)
    assert found.dtype is torch.bfloat16
    close(found, reference_attention(value, locations, weights), 0.1)


# ------------------------------------------------------------------------------------------------------ regions

ROIS = [[0, 1.0, 2.0, 13.0, 10.5], [1, -3.0, 0.0, 7.0, 5.0], [1, 4.0, 4.0, 4.2, 4.1]]  # one sticks out, one is tiny
SCALE, OUT = 0.5, (2, 3)


def reference_cell(image: Tensor, roi: list[float], cell: tuple[int, int], sampling: int, aligned: bool) -> float:
    """Follow Mask R-CNN: the mean of bilinear samples at regular places; those beyond a pixel outside are 0."""
    shift = 0.5 if aligned else 0.0
    left, top, right, bottom = (side * SCALE - shift for side in roi[1:])
    sides = [bottom - top, right - left]
    sides = sides if aligned else [max(side, 1.0) for side in sides]
    steps = [side / count for side, count in zip(sides, OUT, strict=True)]
    counts = [sampling or math.ceil(step) for step in steps]
    total = 0.0
    for row, column in product(*map(range, counts)):
        y = top + steps[0] * (cell[0] + (row + 0.5) / counts[0])
        x = left + steps[1] * (cell[1] + (column + 0.5) / counts[1])
        if -1 <= y <= image.shape[0] and -1 <= x <= image.shape[1]:
            y, x = min(max(y, 0.0), image.shape[0] - 1.0), min(max(x, 0.0), image.shape[1] - 1.0)
            total += bilinear(image, y, x)
    return total / max(counts[0] * counts[1], 1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("sampling", "aligned"), [(0, True), (2, True), (2, False), (0, False)])
def test_regions_are_means_of_samples(mmcv_ops: Any, device: str, sampling: int, aligned: bool) -> None:
    features, rois = drawn(2, 2, 6, 8), torch.tensor(ROIS, dtype=torch.float64)
    found = mmcv_ops.roi_align(features.to(device), rois.to(device), OUT, SCALE, sampling, "avg", aligned)
    for number, channel in product(range(len(ROIS)), range(2)):
        image = features[int(ROIS[number][0]), channel]
        for cell in product(*map(range, OUT)):
            expected = reference_cell(image, ROIS[number], cell, sampling, aligned)
            assert float(found[number, channel, *cell]) == pytest.approx(expected, abs=1e-10)


def test_gradients_of_regions_are_differences(mmcv_ops: Any) -> None:
    features, rois = drawn(2, 2, 6, 8).requires_grad_(), torch.tensor(ROIS, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda maps: mmcv_ops.roi_align(maps, rois, OUT, SCALE, 2, "avg", True), features)


def test_no_region_is_no_output(mmcv_ops: Any) -> None:
    assert mmcv_ops.roi_align(drawn(1, 2, 4, 4), torch.zeros(0, 5).double(), OUT).shape == (0, 2, *OUT)


def test_the_maximum_of_a_region_is_refused_by_name(mmcv_ops: Any) -> None:
    with pytest.raises(NotImplementedError, match="'roi_align' with pool_mode='max'"):
        mmcv_ops.roi_align(drawn(1, 2, 4, 4), torch.tensor([[0, 0, 0, 4, 4]]).double(), OUT, 1.0, 0, "max", True)


def test_boxes_are_grouped_by_the_one_that_suppresses_them(mmcv_ops: Any) -> None:
    boxes = [[0, 0, 10, 10, 0.5], [0, 0, 10, 5, 0.9], [20, 0, 30, 10, 0.7], [21, 0, 30, 10, 0.8], [0, 0, 10, 6, 0.1]]
    groups = mmcv_ops.nms_match(torch.tensor(boxes), 0.5)  # the IoU of the first two is 0.5 itself
    assert [group.tolist() for group in groups] == [[1, 0, 4], [3, 2]]
    assert mmcv_ops.nms_match(torch.zeros(0, 5), 0.5) == []


def test_boxes_of_equal_scores_are_grouped_in_their_order(mmcv_ops: Any) -> None:
    """Of this many a sort that need not keep the order of equals does not keep it."""
    corners = torch.arange(1000.0)[:, None] * 20 * torch.tensor([1.0, 1.0, 1.0, 1.0])
    boxes = corners + torch.tensor([0.0, 0.0, 10.0, 10.0])
    scores = (torch.arange(1000) % 2 / 2).float()
    groups = mmcv_ops.nms_match(torch.cat([boxes, scores[:, None]], dim=1), 0.5)
    assert [group.tolist() for group in groups] == [[place] for place in [*range(1, 1000, 2), *range(0, 1000, 2)]]


# ------------------------------------------------------------------------------------------------------ windows


@pytest.mark.parametrize("device", DEVICES)
def test_carafe_weighs_the_window_around_each_source_pixel(mmcv_ops: Any, device: str) -> None:
    kernel, groups, scale = 3, 2, 2
    features, masks = drawn(2, 4, 3, 4), drawn(2, groups * kernel**2, 6, 8, seed=1)
    found = mmcv_ops.carafe(features.to(device), masks.to(device), kernel, groups, scale)
    for image, channel, y, x in product(range(2), range(4), range(6), range(8)):
        group = channel // (4 // groups)
        expected = sum(
            float(masks[image, (group * kernel + row) * kernel + column, y, x])
            * pixel(features[image, channel], y // scale + row - 1, x // scale + column - 1)
            for row, column in product(range(kernel), range(kernel))
        )
        assert float(found[image, channel, y, x]) == pytest.approx(expected, abs=1e-10)


def test_gradients_of_carafe_are_differences(mmcv_ops: Any) -> None:
    leaves = [drawn(1, 2, 2, 3).requires_grad_(), drawn(1, 9, 4, 6, seed=1).requires_grad_()]
    assert torch.autograd.gradcheck(lambda maps, masks: mmcv_ops.carafe(maps, masks, 3, 1, 2), leaves)


@pytest.mark.parametrize("padding", [0, 1])
def test_a_masked_convolution_is_one_at_the_chosen_places(mmcv_ops: Any, padding: int) -> None:
    layer = mmcv_ops.MaskedConv2d(2, 3, 3, padding=padding).double()
    features, mask = drawn(1, 2, 5, 6), torch.zeros(1, 5, 6)
    mask[0, 0, 3] = mask[0, 2, 1] = 1
    found, whole = layer(features, mask), layer(features)
    expected = whole * mask[:, : whole.shape[2], : whole.shape[3]]
    close(found, expected.detach())
