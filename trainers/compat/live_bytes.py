"""Count the bytes that are in use while a step runs on tensors without memory."""

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

BLOCK = 512  # bytes: torch's CUDA allocator rounds each request up to a multiple
# Bytes that cuDNN borrows for the gradients of a convolution with a kernel above 1 x 1, at most, and for each byte of its input
# and output. The first is fitted to the training memory that mmdet publishes (python -m tests.benchmarks.memory), the second a
# guess for small maps: only a GPU can tell.
WORKSPACE, WORKSPACE_SHARE = 640 * 2**20, 16


class LiveBytes(TorchDispatchMode):
    """Count ``now``, the bytes in use, and ``peak``, the most since ``restart``; ``workspace`` is that of the peak.

    Enter it inside the mode of fake tensors, after all modes that answer operators. A storage counts from the operator
    that makes it until nobody has it any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = self.workspace = 0
        self._known: dict[int, int] = {}

    def restart(self) -> int:
        """Begin a new peak, and return the bytes in use."""
        self.peak, self.workspace = self.now, 0
        return self.now

    def take(self, *tensors: Tensor) -> None:
        """Count tensors, each storage once."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            address = storage._cdata
            if address not in self._known:
                self._known[address] = size = -(-storage.nbytes() // BLOCK) * BLOCK
                weakref.finalize(storage, self._lose, address)
                self._rise(size)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operator and count its results."""
        found = func(*args, **(kwargs or {}))
        self.take(*(leaf for leaf in tree_leaves(found) if isinstance(leaf, Tensor)))
        if func is torch.ops.aten.convolution_backward.default and args[2].shape[2:].numel() > 1:
            self._borrow(min(WORKSPACE, WORKSPACE_SHARE * (args[0].nbytes + args[1].nbytes)))
        return found

    def _rise(self, size: int) -> None:
        self.now += size
        if self.now > self.peak:
            self.peak, self.workspace = self.now, 0

    def _lose(self, address: int) -> None:
        self.now -= self._known.pop(address)

    def _borrow(self, size: int) -> None:
        if self.now + size > self.peak:
            self.peak, self.workspace = self.now + size, size
