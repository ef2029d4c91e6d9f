"""A step without values answers each question as a usual batch would, and notes it where the host would wait for a device."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from trainers.compat.fake_tensors import fake_mode
from trainers.compat.imagined import Imagined

GPU, HOST = torch.device("cuda"), torch.device("cpu")
FOUND = 3  # places of a mask
Question = Callable[[Any], Any]


def asked(question: Question, on: torch.device) -> tuple[Any, list[str]]:
    """Return the answer to a question to values on a device, and the operators that a GPU's host waits for."""
    with fake_mode(), Imagined(GPU, FOUND) as mode:
        values = torch.empty(2, 4, device=on)
        answer = question(values)
    return answer, [wait.operator for wait in mode.waits]


QUESTIONS: dict[str, tuple[Question, Any]] = {
    "item": (lambda values: values[0, 0].item(), 1.0),
    "condition": (lambda values: bool(values[0, 0] > 1), True),
    "whole number": (lambda values: values[0, 0].long().item(), 1),
    "equal": (lambda values: torch.equal(values, values + 1), True),
    "nonzero": (lambda values: tuple(values.nonzero().shape), (FOUND, 2)),
    "few places": (lambda values: tuple(values[0, :2].nonzero().shape), (2, 1)),
    "mask": (lambda values: tuple(values[values > 0].shape), (FOUND,)),
    "mask of rows": (lambda values: tuple(values[values[:, 0] > 0].shape), (2, 4)),
    "selected": (lambda values: tuple(values.masked_select(values > 0).shape), (FOUND,)),
    "not finite": (lambda values: bool(values.isnan().any()), False),
    "infinite": (lambda values: bool(values.isinf().any()), False),
    "any": (lambda values: bool((values > 0).any()), True),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_answered_and_waits_once_and_on_the_gpu_alone(name: str) -> None:
    question, answer = QUESTIONS[name]
    found, waits = asked(question, GPU)
    assert (found, len(waits)) == (answer, 1)
    assert asked(question, HOST) == (answer, [])


def test_places_of_masks_that_are_joined_add_up() -> None:
    def joined(values: Tensor) -> tuple[int, ...]:
        return tuple(torch.cat([values > 0, values > 1]).nonzero().shape)

    assert asked(joined, GPU)[0] == (2 * FOUND, 2)


COPIES: dict[str, tuple[Callable[[Tensor, Tensor], Any], bool]] = {
    "to the device": (lambda gpu, host: host.to(GPU), True),
    "to the host": (lambda gpu, host: gpu.to(HOST), True),
    "to the device beside the step": (lambda gpu, host: host.to(GPU, non_blocking=True), False),
    "to the host beside the step": (lambda gpu, host: gpu.to("cpu", non_blocking=True), False),
    "within the device": (lambda gpu, host: gpu.to(GPU), False),
    "to another type": (lambda gpu, host: gpu.to(torch.float16), False),
    "into the device": (lambda gpu, host: gpu.copy_(host), True),
    "into the host": (lambda gpu, host: host.copy_(gpu), True),
    "into the device beside the step": (lambda gpu, host: gpu.copy_(host, non_blocking=True), False),
    "into the host beside the step": (lambda gpu, host: host.copy_(gpu, non_blocking=True), False),
    "into the device from itself": (lambda gpu, host: gpu.copy_(gpu + 1), False),
    "within the host": (lambda gpu, host: host.copy_(host + 1), False),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_between_host_and_device_waits_unless_it_is_told_not_to(name: str) -> None:
    copy, waits = COPIES[name]
    with fake_mode(), Imagined(GPU, FOUND) as mode:
        copy(torch.empty(2, device=GPU), torch.empty(2))
    assert len(mode.waits) == waits


def test_a_copy_keeps_its_shape_and_gets_its_device_and_type() -> None:
    with fake_mode(), Imagined(GPU, FOUND):
        found = torch.empty(2, 3).to(GPU, torch.float16)
    assert (found.shape, found.device.type, found.dtype) == ((2, 3), "cuda", torch.float16)


def test_a_wait_names_who_asked() -> None:
    with fake_mode(), Imagined(GPU, FOUND) as mode:
        torch.empty(1, device=GPU).item()
    (wait,) = mode.waits
    own = f"{__name__}.{test_a_wait_names_who_asked.__name__}"
    assert wait.stack[0] == own
    assert wait.within(own)
    assert not wait.within(f"{__name__}.nobody")
    assert str(wait).startswith(f"aten._local_scalar_dense.default in {own} < ")
