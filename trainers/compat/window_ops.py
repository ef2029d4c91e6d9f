"""Compute mmcv's operators that gather windows of pixels: CARAFE's upsampling, and convolutions at chosen places."""

import torch
from torch import Tensor
from torch.nn import functional

from trainers.compat.half_inputs import widen


@torch.no_grad()
def carafe_forward(
    features: Tensor,
    masks: Tensor,
    kept: Tensor,
    _output: Tensor,
    _masks: Tensor,
    output: Tensor,
    *,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Write ``features`` (N, C, H, W), reassembled at ``scale_factor`` times the size, into ``output``.

    ``masks`` (N, group_size * kernel_size ** 2, H', W') weigh the window around the source pixel (CARAFE, equation 4);
    windows read 0 outside the image. ``kept`` gets a copy of the features, for the backward operator.
    """
    kept.copy_(features)
    wide, weights = widen(features, masks)
    output.copy_(reassemble(wide, weights, kernel_size, group_size, scale_factor))


@torch.no_grad()
def carafe_backward(
    grad_output: Tensor,
    kept: Tensor,
    masks: Tensor,
    _grad_output: Tensor,
    _grad_input_hs: Tensor,
    _grad_input: Tensor,
    _grad_masks: Tensor,
    grad_features: Tensor,
    grad_masks: Tensor,
    *,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Write the gradients for features and masks, shapes as in ``carafe_forward``."""
    leaves = [tensor.detach().requires_grad_() for tensor in widen(kept, masks)]
    with torch.enable_grad():
        output = reassemble(leaves[0], leaves[1], kernel_size, group_size, scale_factor)
    found = torch.autograd.grad(output, leaves, grad_output.to(output.dtype))
    for buffer, gradient in zip((grad_features, grad_masks), found, strict=True):
        buffer.copy_(gradient)


def reassemble(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int) -> Tensor:
    """Return the upsampled features (N, C, H * scale, W * scale), with their graph."""
    images, channels, height, width = features.shape
    windows = functional.unfold(features, kernel, padding=kernel // 2)
    windows = windows.view(images, groups, channels // groups, kernel**2, height, width)
    weights = masks.view(images, groups, kernel**2, height, scale, width, scale)
    found = torch.einsum("ngckhw,ngkhswt->ngchswt", windows, weights)
    return found.reshape(images, channels, height * scale, width * scale)


@torch.no_grad()
def masked_im2col_forward(
    features: Tensor,
    rows: Tensor,
    columns: Tensor,
    output: Tensor,
    *,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Write the windows of ``features`` (1, C, H, W) around chosen places into ``output`` (C * kernel_h * kernel_w, n)."""
    windows = functional.unfold(features, (kernel_h, kernel_w), padding=(pad_h, pad_w))[0]
    width = features.shape[3] + 2 * pad_w - kernel_w + 1
    output.copy_(windows[:, rows * width + columns])


@torch.no_grad()
def masked_col2im_forward(
    values: Tensor, rows: Tensor, columns: Tensor, output: Tensor, *, height: int, width: int, channels: int
) -> None:
    """Write ``values`` (channels, n) to their places in ``output`` (1, channels, height, width), 0 elsewhere."""
    output.zero_()
    output[0, :, rows, columns] = values
