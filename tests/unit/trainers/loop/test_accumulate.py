"""Prove that a batch that goes through the student in chunks makes the step of the whole batch."""

from typing import Any

import pytest
import torch
from mmdet.utils import reduce_mean
from torch import Tensor, nn

from tests.unit.trainers.scenes import CROWD, EMPTY, LARGE, UPRIGHT, Scene, preprocess
from tests.unit.trainers.tiny_heads import config_of, fitting, woken
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.loop.accumulate import Accumulator, Chunk, chunk_count
from trainers.schema.method import MethodSpec, NoDistillation, TermSum
from trainers.schema.terms import BckdCls, BckdLoc, Cwd, Fgd, Mgd

WIDE = Scene((64, 96), LARGE.objects)
SCENES = (CROWD, CROWD, WIDE, Scene((64, 96), EMPTY.objects))  # chunks of two have different numbers of positives
METHOD = TermSum(
    kind="terms", terms=(BckdCls(kind="bckd-cls", level_gate="none"), BckdLoc(kind="bckd-loc", level_gate="none"))
)
ALONE = NoDistillation(kind="none")
Losses = dict[str, Tensor]


def student_of(head: str, frozen: bool = True) -> Any:
    """Return a student in training whose batch norms keep their statistics, or not.

    A GFL's scores are a half: it divides box losses by the workers' mean of the scores, but by 1 at least. So does an
    RTMDet all losses by the sum of overlaps: its boxes fit the objects.
    """
    student = fitting(woken(config_of(head), 1)).train()
    if head == "gfl":
        nn.init.zeros_(student.bbox_head.gfl_cls.bias)
    for layer in student.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train(not frozen)
    return student


def cut(inputs: Tensor, samples: Any, teacher: FrozenTeacher | None, count: int) -> list[Chunk]:
    size = len(inputs) // count
    return [
        Chunk(images, samples[size * n : size * (n + 1)], teacher.forward(images) if teacher else None, TargetCache())
        for n, images in enumerate(inputs.chunk(count))
    ]


def step(
    student: Any, chunks: list[Chunk], method: MethodSpec, teacher: FrozenTeacher | None = None
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Return losses and gradients of one step."""
    distiller = Distiller(student, method, teacher=teacher)
    student.zero_grad()

    def forward(model: Any, chunk: Chunk, first: bool) -> Losses:
        return model(chunk.inputs, chunk.samples, chunk.teacher, chunk.targets)

    def backward(_chunk: Chunk, losses: Losses, chunks: int) -> None:
        (torch.stack(list(losses.values())).sum() / chunks).backward()

    losses = Accumulator(distiller, distiller).run(chunks, forward, backward)
    gradients = {name: weight.grad for name, weight in distiller.named_parameters() if weight.grad is not None}
    return {name: loss.item() for name, loss in losses.items()}, {name: g.clone() for name, g in gradients.items()}


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("head", ["gfl", "atss", "fcos", "yolox", "rtmdet", "tood_initial"])
def test_chunks_have_the_losses_and_gradients_of_the_whole_batch(head: str, count: int) -> None:
    student, teacher = student_of(head), FrozenTeacher(woken(config_of(head), 2))
    teacher.serve(METHOD)
    inputs, samples = preprocess(student, SCENES)
    whole, gradients = step(student, cut(inputs, samples, teacher, 1), METHOD)
    parts, summed = step(student, cut(inputs, samples, teacher, count), METHOD)
    assert min(whole[name] for name in ("cls", "bbox", "bckd_cls", "bckd_loc")) > 0.0
    assert parts == pytest.approx(whole, rel=1e-4)
    assert summed.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(summed[name], gradient, rtol=1e-3, atol=1e-3 * gradient.abs().max().item())


def test_connectors_get_the_gradient_of_the_whole_batch() -> None:
    """And what is hidden of an image does not depend on its chunk."""
    method = TermSum(kind="terms", terms=(Cwd(kind="cwd"), Fgd(kind="fgd"), Mgd(kind="mgd")))
    student, teacher = student_of("gfl"), FrozenTeacher(woken(config_of("gfl"), 2))
    inputs, samples = preprocess(student, SCENES)
    for number, sample in enumerate(samples):
        sample.set_metainfo({"img_id": number})
    whole, gradients = step(student, cut(inputs, samples, teacher, 1), method, teacher)
    parts, summed = step(student, cut(inputs, samples, teacher, 2), method, teacher)
    assert parts == pytest.approx(whole, rel=1e-4)
    connected = [name for name in gradients if name.startswith("connectors.")]
    assert {name.split(".")[1] for name in connected} == {"fgd", "mgd"}
    for name in connected:
        torch.testing.assert_close(
            summed[name], gradients[name], rtol=1e-3, atol=1e-3 * gradients[name].abs().max().item()
        )


def test_chunks_that_were_normalised_on_their_own_would_have_other_losses() -> None:
    """The test above would not notice the difference if there were none."""
    student = student_of("gfl")
    inputs, samples = preprocess(student, SCENES)
    whole, _ = step(student, cut(inputs, samples, None, 1), ALONE)
    alone = [step(student, [chunk], ALONE)[0] for chunk in cut(inputs, samples, None, 2)]
    assert (alone[0]["cls"] + alone[1]["cls"]) / 2 != pytest.approx(whole["cls"], rel=1e-2)


def test_a_retinanet_divides_by_each_chunks_own_positives() -> None:
    student = student_of("retinanet")
    inputs, samples = preprocess(student, SCENES)
    alone = [step(student, [chunk], ALONE) for chunk in cut(inputs, samples, None, 2)]
    losses, gradients = step(student, cut(inputs, samples, None, 2), ALONE)
    assert losses == pytest.approx({name: (alone[0][0][name] + alone[1][0][name]) / 2 for name in losses})
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, (alone[0][1][name] + alone[1][1][name]) / 2, msg=name)


@pytest.mark.parametrize("head", ["gfl", "retinanet"])
def test_running_statistics_move_once_to_the_mean_of_the_chunks(head: str) -> None:
    student = student_of(head, frozen=False)
    inputs, samples = preprocess(student, (CROWD, WIDE, UPRIGHT, LARGE))
    before = {name: value.clone() for name, value in student.state_dict().items()}
    wanted: dict[str, list[Tensor]] = {}
    for chunk in cut(inputs, samples, None, 2):
        student.load_state_dict(before)
        step(student, [chunk], ALONE)
        for name, value in student.state_dict().items():
            wanted.setdefault(name, []).append(value.clone())
    student.load_state_dict(before)
    step(student, cut(inputs, samples, None, 2), ALONE)
    moved = [name for name, value in student.state_dict().items() if not torch.equal(value, before[name])]
    assert any(name.endswith("running_var") for name in moved)
    for name, value in student.state_dict().items():
        mean = torch.stack(wanted[name]).double().mean(0)
        torch.testing.assert_close(value.double(), mean, rtol=1e-5, atol=1e-7, msg=name)


def test_mmdets_mean_over_workers_is_its_own_again_after_a_failure() -> None:
    student = student_of("gfl")
    inputs, samples = preprocess(student, SCENES)

    def fail(model: Any, chunk: Chunk, first: bool) -> Losses:
        raise MemoryError

    distiller = Distiller(student, ALONE)
    with pytest.raises(MemoryError):
        Accumulator(distiller, distiller).run(cut(inputs, samples, None, 2), fail, lambda *_: None)
    value = torch.tensor(3.0)
    assert reduce_mean(value) is value


@pytest.mark.parametrize(
    ("images", "micro_batch", "count"),
    [
        (8, None, 1),
        (8, 8, 1),
        (8, 9, 1),
        (8, 7, 2),
        (8, 4, 2),
        (8, 3, 4),
        (8, 1, 8),
        (6, 4, 2),
        (6, 3, 2),
        (5, 4, 5),
        (1, 1, 1),
    ],
)
def test_chunks_are_equal_and_as_large_as_they_may_be(images: int, micro_batch: int | None, count: int) -> None:
    assert chunk_count(images, micro_batch) == count
