"""Round square roots correctly on every processor, in place of MKL's (written against torch 2.13.0).

MKL computes them from an instruction's estimate, which Intel and AMD define differently; no variable changes that. NumPy
uses the instruction for square roots, whose result IEEE 754 fixes.
"""

import warnings
from functools import cache

import numpy as np
import torch
from torch import Tensor

KINDS = (torch.float32, torch.float64)


@cache
def install() -> torch.library.Library:
    """Replace the CPU kernels of square roots in this process, for good; gradients follow from the roots as before."""
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about each kernel that is replaced
        library.impl("sqrt", sqrt, "CPU")
        library.impl("sqrt_", sqrt_, "CPU")
        library.impl("sqrt.out", sqrt_out, "CPU")
    return library


def sqrt(values: Tensor) -> Tensor:
    """Return the square root of each element, in the dtype that torch gives: integers become the default dtype.

    Half precision is computed in float32; complex numbers are refused.
    """
    if values.dtype in KINDS:
        return _roots(values)
    if values.dtype.is_floating_point:
        return _roots(values.float()).to(values.dtype)
    return _roots(values.to(torch.get_default_dtype()))


def sqrt_(values: Tensor) -> Tensor:
    """Replace each element by its square root."""
    return values.copy_(sqrt(values))


def sqrt_out(values: Tensor, *, out: Tensor) -> Tensor:
    """Write the square roots into ``out``, resized to the shape of ``values``."""
    return out.resize_(values.shape).copy_(sqrt(values))


def _roots(values: Tensor) -> Tensor:
    with np.errstate(invalid="ignore"):  # of negative numbers: NaN, as torch gives
        return torch.from_numpy(np.asarray(np.sqrt(values.detach().numpy())))
