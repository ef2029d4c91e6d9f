"""Keep the losses in float32 or wider, for any inputs and under autocast."""

from functools import reduce

import torch
from torch import Tensor


def widen(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Bring all to their common dtype, float32 at least."""
    dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors), torch.float32)
    return tuple(tensor.to(dtype) for tensor in tensors)


def autocast_off(tensor: Tensor) -> torch.autocast:
    """Switch autocast off on the device of ``tensor``, for a ``with`` statement."""
    return torch.autocast(tensor.device.type, enabled=False)
