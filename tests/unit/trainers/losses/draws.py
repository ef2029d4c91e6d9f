"""Draw inputs for the losses, and compare what comes out."""

import torch
from torch import Tensor


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def boxes(count: int, seed: int, span: float = 6.0, smallest: float = 1.0, largest: float = 4.0) -> Tensor:
    """Draw boxes with low corners in [0, span] and sides between ``smallest`` and ``largest``."""
    numbers = torch.rand(count, 4, generator=generator(seed), dtype=torch.float64)
    low = span * numbers[:, :2]
    return torch.cat([low, low + smallest + (largest - smallest) * numbers[:, 2:]], dim=1)


def weights(count: int, seed: int = 5) -> Tensor:
    """Draw weights in [0, 1], every third one 0."""
    found = torch.rand(count, generator=generator(seed), dtype=torch.float64)
    found[::3] = 0.0
    return found


def assert_equal(actual: Tensor, wanted: Tensor, tolerance: float) -> None:
    """Compare relative to each element, with a floor relative to the largest one."""
    floor = 1e-2 * tolerance * float(wanted.detach().abs().max()) if wanted.numel() else 0.0
    torch.testing.assert_close(actual.detach().double(), wanted.detach(), rtol=tolerance, atol=max(floor, 1e-14))


def assert_same_with_gradient(actual: Tensor, wanted: Tensor, leaves: tuple[Tensor, Tensor], tolerance: float) -> None:
    """Compare two scalars and their gradients by ``leaves``: the student of ``actual``, the student of ``wanted``."""
    assert actual.shape == ()
    assert_equal(actual, wanted, tolerance)
    mine = torch.autograd.grad(actual, leaves[0])[0]
    theirs = torch.autograd.grad(wanted, leaves[1])[0]
    assert mine.dtype == leaves[0].dtype
    assert theirs.abs().max() > 0.0
    assert_equal(mine, theirs, tolerance)


def twins(tensor: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return two leaves of equal values: one of ``dtype`` for the code, one of float64 for the reference."""
    mine = tensor.to(dtype).requires_grad_()
    return mine, mine.detach().double().requires_grad_()
