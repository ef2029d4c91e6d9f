"""Weigh anchors: take out those of weight 0 before the arithmetic, sum the others, divide by a normaliser."""

import torch
from torch import Tensor

from trainers.distill.losses.checks import shape_of

_NORMALISER_EPS = torch.finfo(torch.float32).eps


def weighted_sum(loss_A: Tensor, weight_A: Tensor, normaliser: Tensor | float | None) -> Tensor:
    """Sum the anchors' losses times their weights and divide by ``normaliser`` plus the float32 machine epsilon.

    ``loss_A`` must be finite also where the weight is 0 (see ``blank``). None leaves the plain sum, without epsilon.
    No gradient to weight and normaliser; a tensor's value is not read on the host.

    Raises:
        ValueError: ``normaliser`` is not one positive number.
    """
    total = (loss_A * weight_A.detach()).sum()
    if normaliser is None:
        return total
    if isinstance(normaliser, Tensor):
        if normaliser.numel() != 1:
            raise ValueError(f"normaliser must have one element, got shape {shape_of(normaliser)}")
        return total / (normaliser.detach().reshape(()).to(total.dtype) + _NORMALISER_EPS)
    if not normaliser > 0.0:
        raise ValueError(f"normaliser must be positive, got {normaliser}")
    return total / (normaliser + _NORMALISER_EPS)


def blank(values_AX: Tensor, weight_A: Tensor) -> Tensor:
    """Put 0 where the weight is 0; the gradient there is exactly 0 too, whatever comes back."""
    return values_AX.masked_fill((weight_A == 0)[:, None], 0.0)
