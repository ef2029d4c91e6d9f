"""Run a step on tensors without values: imagine the values that it asks for, and note who asked.

Where a step on a GPU asks for a value (``item``, ``nonzero``, a boolean mask, a copy to or from the host), the host waits
until everything before has been computed. So the questions are also the list of places where training waits.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torchvision  # noqa: F401  registers the operator
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

FOUND = 512  # places that a mask has: so many a two-stage detector samples; dense heads have fewer positives
aten = torch.ops.aten
NO_PLACES = ("torch.", "contextlib", __name__)  # modules whose frames say nothing


@dataclass(frozen=True)
class Wait:
    """Tell that the host asked for a value: by which operator, and from where, functions by name, innermost first."""

    operator: str
    stack: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.operator} in {' < '.join(self.stack[:3])}"

    def within(self, function: str) -> bool:
        """Return whether ``function`` (``module.name``) led to it."""
        return function in self.stack


class Imagined(TorchDispatchMode):
    """Answer questions for values on ``device`` as a usual batch would, and note each in ``waits``.

    Enter it inside the mode of fake tensors. Numbers are 1, conditions hold but for those that search for NaN or infinity,
    and a mask marks ``found`` places, or as many as there are.
    """

    def __init__(self, device: torch.device, found: int = FOUND) -> None:
        super().__init__()
        self._device, self._found = device.type, found
        self.waits: list[Wait] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answer one operator."""
        answer = ANSWERS.get(func)
        if answer is not None and (found := answer(self, func, args, kwargs or {})) is not None:
            return found
        return func(*args, **(kwargs or {}))

    def count(self, mask: Tensor) -> int:
        """Return how many places a mask marks."""
        return getattr(mask, "marked", min(mask.numel(), self._found))

    def note(self, operator: Any, device: torch.device) -> None:
        """Note a question for a value on ``device``; one on the host is none, unless the step runs there."""
        if device.type == self._device:
            self.waits.append(Wait(str(operator), tuple(_stack())))


def _stack() -> list[str]:
    """Return the functions that are being called, innermost first, as ``module.name``."""
    frame, found = sys._getframe(2), []
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not f"{module}.".startswith(NO_PLACES):
            found.append(f"{module}.{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return found


Answer = Callable[[Imagined, Any, Any, Any], Any]  # ``None``: the operator is computed as it is


def _value(mode: Imagined, func: Any, args: Any, _: Any) -> Any:
    tensor = args[0]
    mode.note(func, tensor.device)
    if tensor.dtype == torch.bool:
        return getattr(tensor, "imagined", True)
    return 1.0 if tensor.dtype.is_floating_point else 1


def _equal(mode: Imagined, func: Any, args: Any, _: Any) -> bool:
    mode.note(func, args[0].device)
    return True


def _nonzero(mode: Imagined, func: Any, args: Any, _: Any) -> Tensor:
    mode.note(func, args[0].device)
    return _places(args[0]).new_zeros(mode.count(args[0]), args[0].ndim)


def _chosen(mode: Imagined, func: Any, args: Any, _: Any) -> Tensor:
    mode.note(func, args[0].device)
    return _empty(args[0], (mode.count(args[1]),))


def _unique(mode: Imagined, func: Any, args: Any, _: Any) -> tuple[Tensor, Tensor, Tensor]:
    mode.note(func, args[0].device)
    values, places = _empty(args[0], (mode.count(args[0]),)), _places(args[0])
    return values, places, places.new_zeros(len(values))


def _kept(mode: Imagined, func: Any, args: Any, _: Any) -> Tensor:
    mode.note(func, args[0].device)
    return _places(args[0][:, 0]).new_zeros(mode.count(args[0][:, 0]))


def _repeated(mode: Imagined, func: Any, args: Any, kwargs: Any) -> Tensor:
    if kwargs.get("output_size") is None:
        mode.note(func, args[0].device)
    return args[0].new_zeros(kwargs.get("output_size") or mode.count(args[0]))


def _indexed(mode: Imagined, func: Any, args: Any, kwargs: Any) -> Any:
    """Answer ``values[mask]``."""
    if not any(_is_mask(index) for index in args[1]):
        return None
    mode.note(func, args[0].device)
    indices: list[Any] = []
    for index in args[1]:
        indices += [_places(index).new_zeros(mode.count(index))] * index.ndim if _is_mask(index) else [index]
    return func(args[0], indices, **kwargs)


def _copied(mode: Imagined, func: Any, args: Any, kwargs: Any) -> Any:
    """Answer ``to``: between host and device it waits, unless it was told not to."""
    source, device = args[0], kwargs.get("device")
    if device is None or torch.device(device).type == source.device.type:
        return None
    if not kwargs.get("non_blocking"):
        mode.note(func, source.device if source.device.type != "cpu" else torch.device(device))
    like = torch.empty_like(source, device="meta")  # of a tensor of the host with values, too
    return torch.empty_strided(like.shape, like.stride(), dtype=kwargs.get("dtype") or source.dtype, device=device)


def _filled(mode: Imagined, func: Any, args: Any, kwargs: Any) -> Any:
    """Answer ``copy_`` in the same way."""
    target, source = args[:2]
    waits = not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
    if waits and target.device.type != source.device.type:
        mode.note(func, source.device if source.device.type != "cpu" else target.device)


def _doubtful(_: Imagined, func: Any, args: Any, kwargs: Any) -> Tensor:
    """Answer a search for NaN or infinity: there are none."""
    found: Tensor = func(*args, **kwargs)
    found.imagined = False  # type: ignore[attr-defined]
    return found


def _any(_: Imagined, func: Any, args: Any, kwargs: Any) -> Tensor:
    found: Tensor = func(*args, **kwargs)
    found.imagined = getattr(args[0], "imagined", True)  # type: ignore[attr-defined]
    return found


def _joined(mode: Imagined, func: Any, args: Any, kwargs: Any) -> Tensor:
    """Answer ``cat``: of masks, as many places are marked as in all of them."""
    found: Tensor = func(*args, **kwargs)
    if _is_mask(found):
        found.marked = sum(map(mode.count, args[0]))  # type: ignore[attr-defined]
    return found


def _is_mask(index: Any) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)


def _places(like: Tensor) -> Tensor:
    return _empty(like, like.shape, torch.int64)


def _empty(like: Tensor, shape: Any, dtype: torch.dtype | None = None) -> Tensor:
    return torch.empty(shape, dtype=dtype or like.dtype, device=like.device)


ANSWERS: dict[Any, Answer] = {
    aten._local_scalar_dense.default: _value,
    aten.equal.default: _equal,
    aten.nonzero.default: _nonzero,
    aten.masked_select.default: _chosen,
    aten._unique2.default: _unique,
    aten.repeat_interleave.Tensor: _repeated,
    aten.index.Tensor: _indexed,
    aten._to_copy.default: _copied,
    aten.to.dtype_layout: _copied,  # in inference mode it comes whole
    aten.copy_.default: _filled,
    aten.isnan.default: _doubtful,
    aten.isinf.default: _doubtful,
    aten.any.default: _any,
    aten.cat.default: _joined,
    torch.ops.torchvision.nms.default: _kept,
}
