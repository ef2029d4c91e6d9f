"""Count a detector's parameters and the multiply-adds of one forward."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torchvision  # noqa: F401  registers the operator
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

DEFORMABLE = torch.ops.torchvision.deform_conv2d


def parameter_count(detector: Any) -> int:
    """Return the number of all parameters, frozen ones included; the statistics of norms are none."""
    return sum(parameter.numel() for parameter in detector.parameters())


@torch.no_grad()
def count_macs(detector: Any, inputs: torch.Tensor, samples: list[Any]) -> int:
    """Return the multiply-adds of backbone, neck and heads for ``inputs`` (1, 3, H, W).

    Counted are convolutions, deformable ones too, and products of matrices, attention's among them: ``out elements x
    kernel x in channels / groups``. Not counted are biases, norms, activations, sums, resampling, decoding and
    suppression. Of a two-stage detector the second stage counts at the proposals that its random weights give.
    """
    counter = FlopCounterMode(display=False, custom_mapping={DEFORMABLE: _deformable_flops})
    with _plain_attention(), counter:
        detector(inputs, samples, mode="tensor")
    return int(counter.get_total_flops()) // 2  # a multiplication and an addition


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Let attention be products of matrices inside the block: the counter does not know all of its fused operators."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _deformable_flops(_images: Any, weight: Any, *_rest: Any, out_shape: Any, **_settings: Any) -> int:
    """Return two operations for each multiply-add; shapes come in the place of tensors: ``weight`` (O, I / groups, h, w)."""
    images, channels, height, width = out_shape
    _, *taken = weight
    return int(2 * images * channels * height * width * math.prod(taken))
