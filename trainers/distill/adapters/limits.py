"""Keep the sides of boxes that a head exponentiates within the range of float32, forward and backward."""

from typing import Any

import torch
from torch import Tensor

LARGEST_SIDE = 8192.0  # pixels: beyond any image that is trained on


def limit_output(module: Any, limit: float, first: int = 0) -> None:
    """Clamp the output of ``module``, (B, channels, H, W), to ``limit`` from channel ``first`` on; once and for all.

    Values below the limit and their gradients stay as they are, to the last bit; above it no gradient flows. Without
    the limit an exponential of infinity has the gradient 0 * inf = NaN even where no loss looks at it. Stays on the
    module as a forward hook that a state dict does not know of.
    """
    module.register_forward_hook(lambda _, __, output: _limited(output, limit, first))


def _limited(output: Tensor, limit: float, first: int) -> Tensor:
    if first == 0:
        return output.clamp(max=limit)
    return torch.cat([output[:, :first], output[:, first:].clamp(max=limit)], 1)
