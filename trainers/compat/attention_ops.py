"""Compute mmcv's multi-scale deformable attention by torch's own sampling of grids.

mmcv's module asks for the operator on a GPU only; on a CPU it samples grids itself.
"""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from trainers.compat.half_inputs import widen


@torch.no_grad()
def ms_deform_attn_forward(
    value: Tensor, shapes: Tensor, _starts: Tensor, locations: Tensor, weights: Tensor, *, im2col_step: int
) -> Tensor:
    """Return the attention's output (B, Q, heads * D) in the dtype of ``value``.

    ``value`` (B, keys, heads, D) has the keys of all levels, level by level; ``shapes`` (L, 2) their (height, width);
    ``locations`` (B, Q, heads, L, P, 2) are (x, y) as shares of a level's sides; ``weights`` (B, Q, heads, L, P) multiply
    the bilinear samples before they are summed over levels and points (Deformable DETR, equation 3). ``im2col_step`` is
    ignored.
    """
    return attend(*_level_sizes(value, shapes, locations, weights)).to(value.dtype)


@torch.no_grad()
def ms_deform_attn_backward(
    value: Tensor,
    shapes: Tensor,
    _starts: Tensor,
    locations: Tensor,
    weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_locations: Tensor,
    grad_weights: Tensor,
    *,
    im2col_step: int,
) -> None:
    """Write the gradients for values, locations and weights, each in its input's shape."""
    wide, sizes, places, shares = _level_sizes(value, shapes, locations, weights)
    leaves = [tensor.detach().requires_grad_() for tensor in (wide, places, shares)]
    with torch.enable_grad():
        output = attend(leaves[0], sizes, leaves[1], leaves[2])
    found = torch.autograd.grad(output, leaves, grad_output.to(output.dtype))
    for buffer, gradient in zip((grad_value, grad_locations, grad_weights), found, strict=True):
        buffer.copy_(gradient)


def _level_sizes(
    value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor
) -> tuple[Tensor, list[list[int]], Tensor, Tensor]:
    wide, places, shares = widen(value, locations, weights)
    return wide, shapes.tolist(), places, shares


def attend(value: Tensor, sizes: list[list[int]], locations: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of bilinear samples, (B, Q, heads * D), with its graph; 0 is read outside a level."""
    batch, _, heads, channels = value.shape
    queries, points = locations.shape[1], locations.shape[4]
    ends = [0, *torch.tensor([height * width for height, width in sizes]).cumsum(0).tolist()]
    total = value.new_zeros(batch * heads, channels, queries)
    for level, ((first, last), (height, width)) in enumerate(zip(pairwise(ends), sizes, strict=True)):
        maps = value[:, first:last].permute(0, 2, 3, 1).reshape(batch * heads, channels, height, width)
        grid = 2 * locations[:, :, :, level].transpose(1, 2).reshape(batch * heads, queries, points, 2) - 1
        samples = functional.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        shares = weights[:, :, :, level].transpose(1, 2).reshape(batch * heads, 1, queries, points)
        total = total + (samples * shares).sum(-1)
    return total.view(batch, heads * channels, queries).transpose(1, 2).contiguous()
