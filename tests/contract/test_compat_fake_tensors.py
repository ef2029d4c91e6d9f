"""Fake tensors have the behaviour that trainers/compat relies on, as they had in torch 2.13.0."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor

from tests.contract.written_against import against
from trainers.compat.fake_tensors import autocast_of_a_gpu, fake_mode, make_fake

TORCH = against("torch", "2.13.0")
GPU = torch.device("cuda")


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.again = self.layer
        self.norm = nn.BatchNorm2d(4).requires_grad_(False)


def test_a_module_keeps_its_tensors_layouts_and_which_are_one() -> None:
    module = Twice()
    before = {name: (tensor.shape, tensor.stride(), tensor.dtype) for name, tensor in module.state_dict().items()}
    with fake_mode():
        make_fake(module, GPU)
    after = {name: (tensor.shape, tensor.stride(), tensor.dtype) for name, tensor in module.state_dict().items()}
    assert after == before, TORCH
    assert all(isinstance(tensor, FakeTensor) and tensor.is_cuda for tensor in module.state_dict().values()), TORCH
    assert module.again.weight is module.layer.weight
    assert [p.requires_grad for p in module.parameters()] == [True, True, False, False]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_acts_on_a_gpu_that_is_not_there(dtype: torch.dtype) -> None:
    with fake_mode(), autocast_of_a_gpu():
        side = torch.empty(2, 2, device=GPU)
        with torch.autocast("cuda", dtype):
            assert (side @ side).dtype == dtype, TORCH


def test_devices_do_not_mix() -> None:
    with fake_mode(), pytest.raises(RuntimeError, match="cuda:0 and cpu"):
        torch.empty(2, device=GPU) + torch.empty(2)
