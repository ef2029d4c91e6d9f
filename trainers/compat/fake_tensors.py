"""Compute with tensors that have a shape, a type and a device, and no memory: also on a GPU that is not there.

Reaches parts of torch that it keeps private (written against 2.13.0).
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode


def fake_mode() -> FakeTensorMode:
    """Return a mode, for a ``with`` statement, in which tensors have no memory. A backward pass needs the device ``cpu``."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def make_fake(module: nn.Module, device: torch.device) -> None:
    """Replace a module's parameters and buffers by tensors without memory on ``device``, in their layouts.

    Call it inside the mode. Tensors that the module has under two names stay one.
    """
    twins: dict[int, Tensor] = {}
    originals = []  # kept until the end, so that no two have one id

    def twin(tensor: Tensor) -> Tensor:
        if id(tensor) not in twins:
            originals.append(tensor)
            empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
            is_parameter = isinstance(tensor, nn.Parameter)
            twins[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if is_parameter else empty
        return twins[id(tensor)]

    for part in module.modules():
        for name, tensor in itertools.chain(part._parameters.items(), part._buffers.items()):
            if tensor is not None:
                own = part._parameters if isinstance(tensor, nn.Parameter) else part._buffers
                own[name] = twin(tensor)  # type: ignore[assignment]


@contextmanager
def autocast_of_a_gpu() -> Iterator[None]:
    """Let ``torch.autocast("cuda")`` act where there is no GPU: without one it switches itself off."""
    with (
        patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False),
        patch("torch.cuda.is_bf16_supported", lambda *_, **__: True),
    ):
        yield
