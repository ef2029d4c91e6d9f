"""Keep the losses in float32 or wider, whatever the inputs are and whatever autocast says."""

from functools import reduce

import torch
from torch import Tensor


def widen(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Bring both to their common dtype, float32 at least."""
    dtype = reduce(torch.promote_types, (first.dtype, second.dtype), torch.float32)
    return first.to(dtype), second.to(dtype)


def autocast_off(tensor: Tensor) -> torch.autocast:
    """Switch autocast off on the device of ``tensor``, for a ``with`` statement."""
    return torch.autocast(tensor.device.type, enabled=False)
