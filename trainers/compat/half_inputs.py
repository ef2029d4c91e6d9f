"""Widen the arguments of operators that torchvision has in float32 and float64 only."""

import torch
from torch import Tensor


def widen(*tensors: Tensor) -> list[Tensor]:
    """Return the tensors in float32 where they are narrower: torchvision has no bfloat16 kernel, and few for half."""
    return [tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for tensor in tensors]
