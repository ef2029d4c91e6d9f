"""Hold TOOD to what is its own: probabilities in place of logits, and an assignment that changes with the epoch."""

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.scenes import CROWD, LARGE, preprocess
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.distill.adapters.base import Targets, adapter_for
from trainers.distill.adapters.tood import LEAST, ToodOutputs
from trainers.schema.schedule import Precision


def outputs_of(probabilities: Tensor) -> ToodOutputs:
    """Return outputs of one image whose map of scores is as given, (C, H, W)."""
    adapter = adapter_for(woken(config_of("tood"), 1))
    return ToodOutputs(adapter, [], ([probabilities[None]], [torch.zeros(1, 4, *probabilities.shape[1:])]), {})


def test_logits_are_those_of_the_aligned_probabilities() -> None:
    p = torch.linspace(0.001, 0.999, 12).reshape(3, 2, 2)
    expected = (p.double() / (1 - p.double())).log().permute(1, 2, 0).reshape(4, 3)
    torch.testing.assert_close(outputs_of(p).logits_AC.double(), expected, rtol=1e-5, atol=1e-5)


def test_logits_of_0_and_1_are_finite_and_have_no_gradient() -> None:
    p = torch.tensor([0.0, 1.0, 0.5]).reshape(3, 1, 1).requires_grad_()
    logits = outputs_of(p).logits_AC
    assert logits[0].tolist() == pytest.approx([-16.6355, 16.6355, 0.0], abs=1e-3)
    assert logits[0, 0] == torch.logit(torch.tensor(LEAST))
    (gradient,) = torch.autograd.grad(logits.sum(), p)
    assert gradient.flatten().tolist() == [0.0, 0.0, 4.0]


def test_the_epoch_chooses_the_assignment() -> None:
    student = woken(config_of("tood_initial"), 1).train()
    inputs, samples = preprocess(student, (LARGE, CROWD))
    adapter = adapter_for(student)
    outputs, found = adapter.forward(inputs), []
    for epoch in (0, 3, 4, 0):
        adapter.enter_epoch(epoch)
        targets = Targets()
        adapter.losses(outputs, samples, targets)
        found.append(adapter.anchors(outputs, targets))
    first, third, fourth, again = found
    assert float(first.normaliser) == int(first.positive_A.sum()) > 1
    assert torch.equal(first.positive_A, third.positive_A)
    assert torch.equal(first.positive_A, again.positive_A)
    assert not torch.equal(first.positive_A, fourth.positive_A)
    assert float(fourth.normaliser) < int(fourth.positive_A.sum())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_does_not_round_the_sampled_boxes(precision: Precision) -> None:
    """Boxes of a coarse number format would all be equal to it."""
    detector = woken(config_of("tood"), 1).eval()
    inputs, _ = preprocess(detector, (LARGE, CROWD))
    boxes = adapter_for(detector).forward(inputs, None, precision).boxes_A4
    half = torch.bfloat16 if precision == "bf16" else torch.float16
    assert not torch.equal(boxes.to(half).float(), boxes)
