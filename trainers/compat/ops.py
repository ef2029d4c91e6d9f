"""Provide mmcv-lite with the operators that mmdet imports, computed by torchvision.

mmdet imports ``mmcv._ext``, a compiled module that only the full mmcv has. ``install()`` puts a module of that name in
place whose operators take the arguments of mmcv 2.1's Python wrappers; call it in every process before the first
import of ``mmcv.ops`` or ``mmdet.models``.

Every operator runs on the device of its arguments, writes its results into the buffers that it is handed (they are
overwritten, not added to) and records no graph: mmcv's autograd functions call the backward operators themselves.
float16 and bfloat16 are computed in float32. Two results differ from the compiled module's on purpose: the focal loss
has no floor under its logarithms, and a class weight leaves background rows alone (compiled, their weight is read from
beyond the end of the tensor). A third differs by torchvision: where a deformable tap lies exactly one pixel above or
left of the image, the offset's gradient is the one from inside (compiled: 0); the output has a kink there.
"""

import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

import torch
import torchvision
from torch import Tensor
from torch.nn import functional

from trainers.compat.attention_ops import ms_deform_attn_backward, ms_deform_attn_forward
from trainers.compat.half_inputs import widen
from trainers.compat.region_ops import nms_match, roi_align_backward, roi_align_forward
from trainers.compat.window_ops import (
    carafe_backward,
    carafe_forward,
    masked_col2im_forward,
    masked_im2col_forward,
)

NAME = "mmcv._ext"
FOCAL_ELEMENTS = 2**22  # logits whose focal loss is computed at once

# The sizes that torchvision wants, in its order, as mmcv's wrappers for either version of the operator spell them.
V1_SIZES = ("dH", "dW", "padH", "padW", "dilationH", "dilationW", "group", "deformable_group")
V2_SIZES = ("stride_h", "stride_w", "pad_h", "pad_w", "dilation_h", "dilation_w", "group", "deformable_group")


def install() -> bool:
    """Put the stand-in for ``mmcv._ext`` in place, unless a compiled one exists; a second call changes nothing.

    Returns whether mmcv's operators are torchvision's in this process: True after the first call and every later one,
    False where mmcv is compiled. Raises ``ModuleNotFoundError`` without any mmcv.
    """
    present = sys.modules.get(NAME)
    if present is not None:
        return isinstance(present, Operators)
    found = importlib.util.find_spec(NAME)
    if found is not None and not isinstance(found.loader, OperatorLoader):
        return False
    # A spec with a loader lets importlib.util.find_spec and mmcv's own check_ops_exist find the module.
    loader = OperatorLoader()
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(NAME, loader, origin=__name__))
    loader.exec_module(module)
    sys.modules[NAME] = module
    vars(importlib.import_module("mmcv"))["_ext"] = module
    return True


class Operators(ModuleType):
    """Hold the operators by name, and for any other name one that raises ``NotImplementedError`` when called."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        """Return the refusing operator: mmcv asks for some hundred names on import and calls very few."""
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return functools.partial(refuse, name)


class OperatorLoader(importlib.abc.Loader):
    """Create the module that holds the operators."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Operators:
        """Return an empty module; its content does not come from a file."""
        return Operators(spec.name, "mmcv's operators, computed by torchvision.")

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with the operators."""
        module.__dict__.update(OPERATORS)


def refuse(name: str, *_args: object, **_options: object) -> NoReturn:
    """Raise ``NotImplementedError`` that names the operator and the way out."""
    raise NotImplementedError(
        f"mmcv's operator {name!r} is not available with mmcv-lite: replace mmcv-lite by a compiled mmcv "
        f"(the package 'mmcv', built for the installed torch), or choose a detector that does without {name!r}"
    )


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return the indices of the boxes that greedy suppression keeps, in falling order of score.

    ``boxes`` (N, 4) as (x1, y1, x2, y2), ``scores`` (N,), any real dtypes; a side is ``x2 - x1 + offset`` long. A box
    goes when its IoU with a kept one is above ``iou_threshold``; of equal scores the lower index comes first. The
    result is int64 (K,), without gradient.
    """
    # Mixed precision hands over boxes and scores of different dtypes, which torchvision does not take.
    dtype = torch.promote_types(torch.promote_types(boxes.dtype, scores.dtype), torch.float32)
    # Rounded as the IoUs are: in float32 an IoU of 2 / 5 is above 0.4 itself, and its box would go.
    limit = torch.tensor(iou_threshold, dtype=dtype).item()
    kept: Tensor = torchvision.ops.nms(half_open(boxes.to(dtype), offset), scores.to(dtype), limit)
    return kept


def half_open(boxes: Tensor, offset: int) -> Tensor:
    """Return ``boxes`` (N, 4) with ``offset`` added to x2 and y2, so that a side is the difference of its ends."""
    return torch.cat((boxes[:, :2], boxes[:, 2:] + offset), dim=1)


@torch.no_grad()
def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Return the indices of the boxes that soft suppression keeps, and write those boxes into ``dets``.

    ``boxes`` (N, 4), ``scores`` (N,); the first K rows of ``dets`` (N, 5) become (x1, y1, x2, y2, decayed score). The
    highest score is taken again and again, the first index among equals; the others decay by their IoU with it (see
    ``decay``) and go for good once below ``min_score``. The result is int64 (K,), without gradient.
    """
    corners, current = half_open(boxes, offset), scores.clone()
    remaining = torch.arange(len(boxes), device=boxes.device)
    kept: list[int] = []
    while remaining.numel():
        best = int(remaining[current[remaining].argmax()])
        dets[len(kept), :4], dets[len(kept), 4] = boxes[best], current[best]
        kept.append(best)
        remaining = remaining[remaining != best]
        # Two boxes without area have the IoU 0 / 0; they do not overlap.
        iou = torchvision.ops.box_iou(corners[best : best + 1], corners[remaining])[0].nan_to_num(0.0)
        current[remaining] *= decay(iou, iou_threshold, sigma, method).to(current.dtype)
        remaining = remaining[current[remaining] >= min_score]
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)


def decay(iou: Tensor, iou_threshold: float, sigma: float, method: int) -> Tensor:
    """Return the factor for the score of each box by its ``iou`` (N,) with the box just taken.

    ``method`` 0 drops from ``iou_threshold`` on, 1 falls linearly from there, 2 is a Gaussian of width ``sigma``.
    """
    if method == 2:
        return torch.exp(-iou.square() / sigma)
    return torch.where(iou >= iou_threshold, 1.0 - iou if method == 1 else torch.zeros_like(iou), 1.0)


@torch.no_grad()
def deform_conv_forward(
    features: Tensor, weight: Tensor, offset: Tensor, output: Tensor, _columns: Tensor, _ones: Tensor, **sizes: int
) -> None:
    """Write the deformable convolution (version 1, without mask and bias) into ``output``.

    ``features`` (N, C, H, W), ``weight`` (O, C / group, kH, kW), ``offset`` (N, 2 * deformable_group * kH * kW, H',
    W') in pairs (y, x), ``output`` (N, O, H', W'); a tap outside the image reads 0. ``sizes`` holds ``V1_SIZES``, the
    kernel and ``im2col_step``; the last two are ignored, torchvision chooses how many images it takes at once. Raises
    ``RuntimeError`` when shapes and sizes disagree.
    """
    output.copy_(sample(features, weight, offset, None, None, [sizes[name] for name in V1_SIZES]))


@torch.no_grad()
def deform_conv_backward_input(
    features: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_features: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    _columns: Tensor,
    **sizes: int,
) -> None:
    """Write the gradients of version 1 for the features and the offsets, shapes as in ``deform_conv_forward``."""
    geometry = [sizes[name] for name in V1_SIZES]
    gradients = sample_backward(grad_output, features, weight, offset, None, geometry)
    grad_features.copy_(gradients[0])
    grad_offset.copy_(gradients[2])


@torch.no_grad()
def deform_conv_backward_parameters(
    features: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    _columns: Tensor,
    _ones: Tensor,
    *,
    scale: float,
    **sizes: int,
) -> None:
    """Write ``scale`` times the gradient of version 1 for the weight, shapes as in ``deform_conv_forward``."""
    geometry = [sizes[name] for name in V1_SIZES]
    # The caller keeps the weight to itself. Its gradient does not depend on it, so any tensor of its shape will do.
    gradients = sample_backward(grad_output, features, grad_weight, offset, None, geometry)
    grad_weight.copy_(scale * gradients[1])


@torch.no_grad()
def modulated_deform_conv_forward(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    _ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    _columns: Tensor,
    *,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Write the modulated deformable convolution (version 2) into ``output``.

    Shapes as in ``deform_conv_forward``; ``mask`` (N, deformable_group * kH * kW, H', W') multiplies every tap, and
    ``bias`` (O,) is added if ``with_bias``. ``sizes`` holds ``V2_SIZES`` and the kernel, which is ignored.
    """
    geometry = [sizes[name] for name in V2_SIZES]
    output.copy_(sample(features, weight, offset, mask, bias if with_bias else None, geometry))


@torch.no_grad()
def modulated_deform_conv_backward(
    features: Tensor,
    weight: Tensor,
    _bias: Tensor,
    _ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    _columns: Tensor,
    grad_features: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Write the gradients of version 2 for all its inputs; ``grad_bias`` stays as it is unless ``with_bias``."""
    geometry = [sizes[name] for name in V2_SIZES]
    gradients = sample_backward(grad_output, features, weight, offset, mask, geometry)
    for buffer, gradient in zip((grad_features, grad_weight, grad_offset, grad_mask), gradients[:4], strict=True):
        buffer.copy_(gradient)
    if with_bias:
        grad_bias.copy_(gradients[4])


def sample(
    features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None, geometry: list[int]
) -> Tensor:
    """Return torchvision's deformable convolution (N, O, H', W') in float32 or float64, without mask or bias if None.

    ``geometry`` is stride, padding and dilation, each (vertical, horizontal), then the groups of weight and offsets. Where
    an offset is not finite the result is NaN; torchvision's CPU kernel would read outside of its memory.
    """
    shift = features.new_zeros(len(weight)) if bias is None else bias
    modulation = unmasked(features) if mask is None else mask
    tensors = widen(features, weight, finite(offset), modulation, shift)
    output: Tensor = torch.ops.torchvision.deform_conv2d(*tensors, *geometry, mask is not None)
    return output + (offset * 0.0).sum(dim=1, keepdim=True)


def sample_backward(
    grad_output: Tensor, features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, geometry: list[int]
) -> tuple[Tensor, ...]:
    """Return the gradients of ``sample`` for features, weight, offset, mask and bias, each in its input's shape.

    ``grad_output`` is (N, O, H', W'). Calling torchvision's kernel saves the forward pass that autograd would repeat.
    """
    modulation, no_bias = unmasked(features) if mask is None else mask, features.new_zeros(len(weight))
    tensors = widen(grad_output, features, weight, finite(offset), modulation, no_bias)
    gradients: tuple[Tensor, ...] = torch.ops.torchvision._deform_conv2d_backward(*tensors, *geometry, mask is not None)
    return gradients


def finite(offset: Tensor) -> Tensor:
    """Return the offsets with 0 in the place of NaN and infinity."""
    return offset.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


def unmasked(features: Tensor) -> Tensor:
    """Return the tensor that torchvision's kernels take in place of a mask, without reading it."""
    return features.new_zeros(len(features), 1)


@torch.no_grad()
def sigmoid_focal_loss_forward(
    logits: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the focal loss of every logit into ``output``: ``-a * (1 - q) ** gamma * log(q)``.

    ``logits`` and ``output`` (N, C); ``target`` int64 (N,), where any value outside 0..C-1 is background. q is the
    sigmoid of the logit and a is ``alpha`` in the column of the label, else q is 1 minus the sigmoid and a is
    ``1 - alpha``. ``weight`` (C,), or empty for none, multiplies each row by the value of its label; background rows
    by 1. Nothing is reduced; finite for any finite logit.
    """
    for rows in row_parts(logits):
        agreement, _, factor = focal_terms(logits[rows], target[rows], weight, alpha)
        output[rows] = -factor * torch.sigmoid(-agreement) ** gamma * functional.logsigmoid(agreement)


@torch.no_grad()
def sigmoid_focal_loss_backward(
    logits: Tensor, target: Tensor, weight: Tensor, grad_logits: Tensor, gamma: float, alpha: float
) -> None:
    """Write the derivative of every loss by its own logit into ``grad_logits`` (N, C); shapes as in the forward."""
    for rows in row_parts(logits):
        agreement, sign, factor = focal_terms(logits[rows], target[rows], weight, alpha)
        miss = torch.sigmoid(-agreement)
        slope = miss - gamma * torch.sigmoid(agreement) * functional.logsigmoid(agreement)
        grad_logits[rows] = -factor * sign * miss**gamma * slope


def row_parts(logits: Tensor) -> list[slice]:
    """Return the rows of ``logits`` in parts of at most ``FOCAL_ELEMENTS``: RetinaNet's would need 0.8 GB in between."""
    rows, each = len(logits), max(1, FOCAL_ELEMENTS // max(1, logits.shape[1]))
    return [slice(first, first + each) for first in range(0, rows, each)]


def focal_terms(logits: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return for every logit how far it agrees with its target, the sign in that, and the factor of its loss.

    All are (N, C) and at least float32: agreement is ``sign * logit``, sign is 1 in the label's column and -1
    elsewhere, factor is ``alpha`` or ``1 - alpha`` times the row's class weight. Working on the signed logit keeps the
    logarithm of a vanishing probability exact, where ``1 - sigmoid`` rounds to 0.
    """
    (wide,) = widen(logits)
    is_label = target[:, None] == torch.arange(logits.shape[1], device=target.device)
    sign = torch.full_like(wide, -1.0).masked_fill_(is_label, 1.0)
    factor = torch.full_like(wide, 1.0 - alpha).masked_fill_(is_label, alpha)
    if weight.numel():
        # Background rows have no column of their own, hence the 1 after the last class.
        padded = torch.cat((weight.to(wide.dtype), wide.new_ones(1)))
        factor = factor * padded[torch.where(is_label.any(dim=1), target, len(weight))][:, None]
    return sign * wide, sign, factor


def not_compiled() -> str:
    """Return mmcv's report for a build without compilers."""
    return "n/a"


OPERATORS: Mapping[str, Callable[..., Any]] = {
    operator.__name__: operator
    for operator in (
        nms,
        softnms,
        deform_conv_forward,
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        modulated_deform_conv_forward,
        modulated_deform_conv_backward,
        sigmoid_focal_loss_forward,
        sigmoid_focal_loss_backward,
        roi_align_forward,
        roi_align_backward,
        nms_match,
        ms_deform_attn_forward,
        ms_deform_attn_backward,
        carafe_forward,
        carafe_backward,
        masked_im2col_forward,
        masked_col2im_forward,
    )
} | {"get_compiler_version": not_compiled, "get_compiling_cuda_version": not_compiled}
