"""Run networks in half precision; their outputs, and so every loss, stay in float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor

from trainers.distill.head_outputs import HeadFeatures
from trainers.schema.schedule import Precision

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def network_in(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which torch's autocast chooses ``precision`` where that is safe; none for fp32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, DTYPES[precision])


def widened(found: Any) -> Any:
    """Return nested lists and tuples of tensors with half-precision ones in float32; gradient flows through."""
    if isinstance(found, Tensor):
        return found.float() if found.dtype in DTYPES.values() else found
    if isinstance(found, HeadFeatures):
        return HeadFeatures(widened(found.cls), widened(found.box))
    return type(found)(widened(item) for item in found) if isinstance(found, list | tuple) else found


class ScaledOptimWrapper(AmpOptimWrapper):
    """Scale losses so that float16 gradients do not vanish, on any device; mmengine's own refuses CPUs.

    A step whose gradients overflow changes nothing but the scale, which is halved; it is part of the optimizer's state.
    """

    def __init__(self, **settings: Any) -> None:
        OptimWrapper.__init__(self, **settings)
        device = self.optimizer.param_groups[0]["params"][0].device
        self.loss_scaler = torch.amp.GradScaler(device.type)
        self._scale_update_param = self.cast_dtype = None
