"""Reach parts of torch that it keeps private (written against 2.13.0)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(model: nn.Module) -> list[nn.Module]:
    """Return the batch norms of a model, of any number of dimensions, also those that several processes share."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def mix_in(averages: list[Tensor], news: list[Tensor], share: float) -> None:
    """Set each ``a`` of ``averages`` to ``(1 - share) a + share n`` in place, in two kernels for all of them."""
    torch._foreach_mul_(averages, 1 - share)
    torch._foreach_add_(averages, news, alpha=share)


def load_own_tensors(module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> list[str]:
    """Load a module's own tensors by its own hooks, which may change ``state``, and return the errors."""
    errors: list[str] = []
    module._load_from_state_dict(state, prefix, metadata, False, [], [], errors)
    return errors


def version_of(module: nn.Module) -> int | None:
    """Return the version of a module's format of states."""
    return module._version


def own_children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return a module's children by name; unlike ``named_children`` a child with two names comes twice."""
    return [(name, child) for name, child in module._modules.items() if child is not None]


def own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and stored buffers of a module without its children's."""
    buffers = {k: v for k, v in module._buffers.items() if k not in module._non_persistent_buffers_set}
    return {name: tensor for name, tensor in {**module._parameters, **buffers}.items() if tensor is not None}
