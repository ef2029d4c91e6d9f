"""The private parts of torch that trainers/compat uses have the shape that they had in torch 2.13.0."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tests.contract.written_against import against, parameters
from trainers.compat.ops import sample, sample_backward
from trainers.compat.torch_parts import (
    batch_norms,
    load_own_tensors,
    mix_in,
    own_children,
    own_tensors,
    version_of,
)

TORCH = against("torch", "2.13.0")


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = self.again = nn.Linear(1, 1)
        self.absent = None
        self.own = nn.Parameter(torch.zeros(2))
        self.register_buffer("stored", torch.zeros(3))
        self.register_buffer("forgotten", torch.zeros(4), persistent=False)
        self.register_buffer("empty", None)
        self.register_parameter("nothing", None)


def test_batch_norms_of_all_dimensions_are_found() -> None:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    model = nn.Sequential(*(kind(2) for kind in kinds), nn.GroupNorm(1, 2), nn.Conv2d(1, 1, 1))
    assert [type(norm) for norm in batch_norms(model)] == list(kinds), TORCH


def test_averages_move_in_place_by_the_share() -> None:
    averages, news = [torch.tensor([1.0, 2.0]), torch.tensor(3.0)], [torch.tensor([3.0, 4.0]), torch.tensor(7.0)]
    first = averages[0]
    mix_in(averages, news, 0.25)
    assert averages[0] is first
    assert first.tolist() == [1.5, 2.5], TORCH
    assert averages[1].item() == 4.0, TORCH


def test_a_module_shows_its_own_tensors_and_children() -> None:
    parts = Parts()
    assert set(own_tensors(parts)) == {"own", "stored"}, TORCH
    assert [name for name, _ in own_children(parts)] == ["first", "again"], TORCH
    assert version_of(nn.BatchNorm2d(1)) == 2, TORCH
    assert version_of(nn.Conv2d(1, 1, 1)) == 1, TORCH


def test_a_module_loads_its_own_tensors_only_and_reports_errors() -> None:
    assert parameters(nn.Module._load_from_state_dict) == [
        "self", "state_dict", "prefix", "local_metadata", "strict", "missing_keys", "unexpected_keys", "error_msgs",
    ], TORCH  # fmt: skip
    parts = Parts()
    state = {"p.own": torch.ones(2), "p.stored": torch.ones(9), "p.first.weight": torch.ones(1, 1)}
    before = parts.first.weight.clone()
    [error] = load_own_tensors(parts, state, "p.", {})
    assert error.startswith("size mismatch"), TORCH
    assert parts.own.tolist() == [1.0, 1.0], TORCH
    assert torch.equal(parts.first.weight, before), TORCH


@pytest.mark.parametrize("masked", [False, True])
def test_torchvisions_backward_kernel_gives_autograds_gradients(masked: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = SimpleNamespace(features=(1, 2, 5, 5), weight=(3, 2, 3, 3), offset=(1, 18, 3, 3), mask=(1, 9, 3, 3))
    features, weight, offset, mask = (
        torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in vars(shapes).values()
    )
    geometry = [1, 1, 0, 0, 1, 1, 1, 1]
    given = mask if masked else None
    output = sample(features, weight, offset, given, None, geometry)
    upstream = torch.rand(output.shape, generator=generator, dtype=torch.float64)
    wanted = torch.autograd.grad(output, [features, weight, offset], upstream)
    found = sample_backward(upstream, features, weight, offset, given, geometry)
    assert all(torch.allclose(one, other) for one, other in zip(found, wanted, strict=False)), against(
        "torchvision", "0.28.0"
    )
