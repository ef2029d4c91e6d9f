"""Time BCKD's two terms, forward and backward, against the plain loop over levels."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks import per_level
from tests.benchmarks.batch import CLASSES, OBJECTS
from tests.benchmarks.detectors import R18, build
from tests.benchmarks.figure import Measured, Setting
from tests.benchmarks.pairs import interleave, median
from trainers.data.batch_scale import Size
from trainers.distill.adapters.base import Adapter, Targets, adapter_for
from trainers.distill.head_outputs import HeadOutputs, TeacherStudentOutputs
from trainers.distill.terms import terms
from trainers.loop.loop import prepare_process
from trainers.schema import Bckd

IMAGES, SIZE = 2, (800, 1344)
BINS = 17
REPEATS = {"cpu": 1, "cuda": 20}  # what is timed together, so that a time is well above the clock's grain


@dataclass
class Outputs:
    """Hold both detectors' raw outputs for a batch, and how its objects were assigned."""

    adapter: Adapter
    student: tuple[list[Tensor], list[Tensor]]
    teacher: tuple[list[Tensor], list[Tensor]]
    targets: Any

    def leaves(self) -> list[Tensor]:
        """Return what the gradient flows to."""
        return [*self.student[0], *self.student[1]]


def against_a_loop(setting: Setting) -> Measured:
    """Compare our terms with the same formula written as a loop over levels; both end at the head's raw outputs."""
    prepare_process(setting.threads, setting.cuda)
    outputs = draw(setting.device, IMAGES, SIZE)
    require_equal(fused(outputs), looped(outputs))
    repeats = range(REPEATS[setting.device.type])
    found = interleave(
        lambda: [gradient(outputs, fused(outputs)) for _ in repeats],
        lambda: [gradient(outputs, looped(outputs)) for _ in repeats],
        setting.pairs,
        setting.clock,
        warm_up=2,
    )
    ours, theirs = (median(times) / len(repeats) * 1000 for times in (found.ours, found.theirs))
    note = f"{IMAGES} images of {SIZE[1]} x {SIZE[0]}, {ours:.1f} ms and {theirs:.1f} ms, {len(found.ours)} pairs"
    return Measured(found.ratios, note)


def draw(device: torch.device, images: int, size: Size) -> Outputs:
    """Draw outputs of a GFL head for images of ``size`` (height, width), with positives on every level."""
    generator = torch.Generator(device).manual_seed(0)
    adapter = adapter_for(build(R18).to(device))
    strides = [stride for stride, _ in adapter.head.prior_generator.strides]
    sizes = [(-(-size[0] // stride), -(-size[1] // stride)) for stride in strides]

    def levels(channels: int, shift: float) -> list[Tensor]:
        draws = [torch.randn(images, channels, *cells, generator=generator, device=device) for cells in sizes]
        return [level + shift for level in draws]

    student, teacher = ((levels(CLASSES, -4.0), levels(4 * BINS, 0.0)) for _ in range(2))
    for level in (*student[0], *student[1]):
        level.requires_grad_()
    labels = [torch.full((images, high * wide), CLASSES, device=device) for high, wide in sizes]
    for level in labels:
        level[:, :OBJECTS] = 1
    weights = [torch.ones_like(level, dtype=torch.float32) for level in labels]
    return Outputs(adapter, student, teacher, (None, labels, weights, sum(level.numel() for level in labels) / 100))


def fused(outputs: Outputs) -> Tensor:
    """Return the sum of our two terms, from raw outputs on."""
    targets = Targets()
    targets.value = outputs.targets
    student, teacher = (seen(outputs.adapter, outs) for outs in (outputs.student, outputs.teacher))
    both = TeacherStudentOutputs(student, teacher, lambda: outputs.adapter.anchors(student, targets))
    return torch.stack([term(both) for term in terms(Bckd(kind="bckd", alpha1=1.0, alpha2=4.0)).values()]).sum()


def seen(adapter: Adapter, outs: Any) -> HeadOutputs:
    """Return what terms read of raw outputs."""
    return adapter.outputs_class(adapter, [], outs, {})


def looped(outputs: Outputs) -> Tensor:
    """Return the same sum by the plain loop."""
    _, labels, weights, positives = outputs.targets
    normaliser = torch.tensor(float(positives), device=labels[0].device)
    classification, localization = per_level.terms(
        outputs.student, outputs.teacher, labels, weights, outputs.adapter.head, normaliser
    )
    return classification + 4.0 * localization


def gradient(outputs: Outputs, loss: Tensor) -> None:
    """Compute the gradient and throw it away."""
    torch.autograd.grad(loss, outputs.leaves())


def require_equal(first: Tensor, second: Tensor) -> None:
    """Refuse to compare the speed of two different losses."""
    torch.testing.assert_close(first, second, rtol=1e-5, atol=0.0)
