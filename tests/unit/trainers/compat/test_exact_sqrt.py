"""Test square roots that no processor rounds in a way of its own."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from trainers.compat.exact_sqrt import sqrt, sqrt_, sqrt_out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_root_is_the_nearest_number_to_the_true_one(dtype: torch.dtype) -> None:
    values = torch.logspace(-30, 30, 301, dtype=dtype)
    with localcontext() as context:
        context.prec = 60
        true = [Decimal(value.item()).sqrt() for value in values]
        for found, wanted in zip(sqrt(values).tolist(), true, strict=True):
            kind = np.float32 if dtype is torch.float32 else np.float64
            near = [float(np.nextafter(kind(found), kind(bound))) for bound in (-np.inf, np.inf)]
            error = abs(Decimal(found) - wanted)
            assert all(error <= abs(Decimal(other) - wanted) for other in near)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bfloat16, torch.bool])
def test_other_dtypes_give_what_torch_gives(dtype: torch.dtype) -> None:
    values = torch.tensor([0, 1, 4, 9, 16]).to(dtype)
    assert torch.equal(sqrt(values), torch.sqrt(values))
    assert sqrt(values).dtype == torch.sqrt(values).dtype


def test_shapes_and_special_values_are_torchs() -> None:
    assert sqrt(torch.tensor(4.0)).shape == ()
    assert sqrt(torch.zeros(0, 3)).shape == (0, 3)
    turned = torch.rand(4, 6).t()
    assert sqrt(turned).stride() == torch.sqrt(turned).stride()
    special = torch.tensor([-1.0, float("inf"), float("nan"), -0.0])
    assert torch.equal(sqrt(special), torch.sqrt(special)) is False  # NaN equals nothing
    assert torch.allclose(sqrt(special), torch.sqrt(special), equal_nan=True)


def test_results_go_where_they_are_wanted() -> None:
    values, place = torch.tensor([4.0, 9.0]), torch.empty(0)
    assert sqrt_out(values, out=place) is place
    assert place.tolist() == [2.0, 3.0]
    assert sqrt_(values) is values
    assert values.tolist() == [2.0, 3.0]
