"""Rebuild the few kinds of objects that checkpoints contain from their description in a pickle.

Each function here stands for one that a file may name. It checks every argument: the file is a stranger's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers.schema.pickled_objects import PLAIN_TABLE, Opaque, Rebuilder, RefusedPickle

MOST_SIDES, LARGEST_SIDE = 64, 2**63  # of any tensor or array
TENSOR = 1000  # bytes of memory of a tensor's object
NUMBERS_AND_TEXT = re.compile(r"[<|=]?[?biufcSU]\d*")  # numpy's codes of element types without Python objects


@dataclass(frozen=True, slots=True)
class StorageType:
    """Stand for one of torch's classes of storages."""

    dtype: torch.dtype


def fill(target: Any, state: Any) -> None:
    """Fill an array that was rebuilt empty; drop the state of everything else, which is data without it.

    Raises ``RefusedPickle`` when the state does not describe an array.
    """
    if isinstance(target, np.dtype):
        if isinstance(state, tuple) and ">" in state[1:2]:
            raise RefusedPickle("the pickle holds numbers of a big-endian machine")
    elif isinstance(target, np.ndarray):
        _fill_array(target, state)


def _fill_array(array: Any, state: Any) -> None:
    if not (isinstance(state, tuple) and len(state) == 5 and array.size == 0 and array.base is None):
        raise RefusedPickle("the pickle fills an array with something other than an array")
    _, shape, dtype, fortran, content = state
    if not isinstance(dtype, np.dtype) or not isinstance(content, bytes):
        return  # an array of objects: it stays empty
    count = 1
    for side in _whole(shape):
        count *= side
    if not dtype.itemsize or count * dtype.itemsize != len(content):
        raise RefusedPickle("the pickle fills an array with too few or too many bytes")
    array.__setstate__((1, shape, dtype, bool(fortran), content))


def _whole(numbers: Any) -> tuple[int, ...]:
    """Return a tuple of integers that are not negative and fit a shape, or raise."""
    fits = isinstance(numbers, tuple) and len(numbers) <= MOST_SIDES
    if not fits or not all(type(number) is int and 0 <= number < LARGEST_SIDE for number in numbers):
        raise RefusedPickle("the pickle gives a shape that is none")
    return tuple(numbers)


# ---------------------------------------------------------------------------------------------------------------- torch


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Return a view of a storage, (elements,) of any type, as a tensor of ``size``; torch checks the bounds."""
    if not (isinstance(storage, Tensor) and storage.dim() == 1 and type(offset) is int and offset >= 0):
        raise RefusedPickle("the pickle makes a tensor of something other than a storage")
    sides, steps = _whole(size), _whole(stride)
    if len(sides) != len(steps):
        raise RefusedPickle("the pickle gives a tensor strides that do not fit its shape")
    return storage.as_strided(sides, steps, storage.storage_offset() + offset)


def _tensor_of_type(
    storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
) -> Tensor:
    if not isinstance(dtype, torch.dtype) or not isinstance(storage, Tensor):
        raise RefusedPickle("the pickle gives a tensor a type that is none")
    return _tensor(storage.view(dtype), offset, size, stride)


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _from_type(function: Any, _kind: Any, arguments: Any, *_: Any) -> Any:
    """Rebuild a tensor subclass, or a tensor with attributes, as the plain tensor."""
    if not isinstance(function, Rebuilder) or not isinstance(arguments, tuple):
        return Opaque("torch.Tensor")
    return function.make(*arguments)


def _device(*arguments: Any) -> torch.device:
    return torch.device(*arguments)


def _size(*arguments: Any) -> torch.Size:
    return torch.Size(_whole(tuple(arguments[0]) if arguments else ()))


# ---------------------------------------------------------------------------------------------------------------- numpy


def _array(*_: Any) -> Any:
    return np.zeros(0, np.uint8)


def _array_of_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> Any:
    if not isinstance(content, bytes | bytearray) or not isinstance(dtype, np.dtype) or order not in ("C", "F"):
        return Opaque("numpy.ndarray")
    return np.frombuffer(content, dtype).reshape(_whole(shape), order=order)


def _scalar(dtype: Any, content: Any = None) -> Any:
    if not isinstance(dtype, np.dtype) or not isinstance(content, bytes) or len(content) != dtype.itemsize:
        return Opaque("numpy scalar")
    return np.frombuffer(content, dtype)[0]


def _dtype(code: Any, *_: Any) -> Any:
    known = isinstance(code, str) and NUMBERS_AND_TEXT.fullmatch(code)
    return np.dtype(code) if known else Opaque("numpy.dtype")


def _functions() -> dict[tuple[str, str], Any]:
    torch_utils: dict[str, Callable[..., Any]] = {
        "_rebuild_tensor": _tensor,
        "_rebuild_tensor_v2": _tensor,
        "_rebuild_tensor_v3": _tensor_of_type,
        "_rebuild_parameter": _parameter,
        "_rebuild_parameter_with_state": _parameter,
    }
    found: dict[tuple[str, str], Callable[..., Any]] = {
        ("torch._utils", name): make for name, make in torch_utils.items()
    }
    found |= {
        ("torch._tensor", "_rebuild_from_type_v2"): _from_type,
        ("torch", "device"): _device,
        ("torch", "Size"): _size,
    }
    for core in ("numpy.core", "numpy._core"):
        found |= {(f"{core}.multiarray", "_reconstruct"): _array, (f"{core}.multiarray", "scalar"): _scalar}
        found |= {(f"{core}.numeric", "_frombuffer"): _array_of_buffer}
    found |= {("numpy", "dtype"): _dtype}
    return {name: Rebuilder(make, TENSOR) for name, make in found.items()}


def _types() -> dict[tuple[str, str], Any]:
    """Return torch's element types and the classes of storages that hold them."""
    dtypes = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
    found: dict[tuple[str, str], Any] = {("torch", name): value for name, value in dtypes.items()}
    storages = {"Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64"}
    storages |= {"Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool"}
    storages |= {"ComplexFloat": "complex64", "ComplexDouble": "complex128"}
    for module in ("torch", "torch.cuda"):
        found |= {(module, f"{name}Storage"): StorageType(dtypes[dtype]) for name, dtype in storages.items()}
    return found | {("torch.storage", "UntypedStorage"): StorageType(torch.uint8)}


TABLE = PLAIN_TABLE | _functions() | _types()
