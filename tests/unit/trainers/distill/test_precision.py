"""Prove that half precision stays inside the networks, and that training in it can be resumed and shared."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.scenes import CROWD, LARGE, preprocess
from tests.unit.trainers.state.test_resume import die_at
from tests.unit.trainers.tiny import TrainOnce, adamw, assert_same_run, changed, detector, differing, job, sgd, state
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.detectors.detector import placed
from trainers.distill.adapters.base import TargetCache, adapter_for
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.half_precision import ScaledOptimWrapper
from trainers.distill.head_outputs import HeadFeatures
from trainers.loop.loop import train_alone, train_together
from trainers.loop.optimise import build_optimizer
from trainers.schema import Bckd, TrialSpec
from trainers.schema.method import CrossKd, PkdMethod
from trainers.schema.record import read_history
from trainers.schema.schedule import Precision
from trainers.schema.terms import TapPoint

HEADS = ("gfl", "atss", "fcos", "retinanet", "yolox", "rtmdet", "tood", "vfnet")
HALVES: tuple[Precision, ...] = ("bf16", "fp16")


def tensors(found: Any) -> Iterator[Tensor]:
    """Yield all tensors in nested lists and tuples."""
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, HeadFeatures):
        yield from (*found.cls, *found.box)
    elif isinstance(found, list | tuple):
        for item in found:
            yield from tensors(item)


def losses(head: str, precision: Precision, teacher_precision: Precision) -> tuple[dict[str, Tensor], Any]:
    student, teacher = woken(config_of(head), 1).train(), FrozenTeacher(woken(config_of(head), 2))
    method = Bckd(kind="bckd", alpha1=1.0, alpha2=4.0)
    teacher.serve(method)
    inputs, samples = preprocess(student, (LARGE, CROWD))
    head_outputs = teacher.forward(inputs, teacher_precision)
    return Distiller(student, method, precision)(inputs, samples, head_outputs, TargetCache()), student


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("precision", HALVES)
def test_all_that_a_view_holds_is_float32(head: str, precision: Precision) -> None:
    adapter = adapter_for(woken(config_of(head), 1).eval())
    if head not in ("yolox", "tood"):  # their heads cannot be tapped
        adapter.tap(TapPoint(1, "after"))
    inputs, _ = preprocess(adapter.detector, (LARGE, CROWD))
    head_outputs, plain = adapter.forward(inputs, None, precision), adapter.forward(inputs)
    found, wanted = (list(tensors([each.features, each.outs, *each.taps.values()])) for each in (head_outputs, plain))
    assert [tensor.dtype for tensor in found] == [tensor.dtype for tensor in wanted]
    assert not all(map(torch.equal, found, wanted))  # the network did run in half precision


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("precision", HALVES)
def test_losses_agree_with_those_in_float32(head: str, precision: Precision) -> None:
    """A hundredth for bf16 with its 8 bits of mantissa would be luck: boxes move by a rounding of their distances."""
    plain, _ = losses(head, "fp32", "fp32")
    half, student = losses(head, precision, precision)
    assert half.keys() == plain.keys()
    for name, value in half.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(plain[name].item(), rel=0.1, abs=0.02), name
    torch.stack(list(half.values())).sum().backward()
    grads = [weight.grad for weight in student.parameters() if weight.grad is not None]
    assert grads
    assert all(grad.dtype == torch.float32 and grad.isfinite().all() for grad in grads)


def test_the_teachers_precision_leaves_the_detectors_own_losses_alone() -> None:
    plain, _ = losses("gfl", "fp32", "fp32")
    asked, _ = losses("gfl", "fp32", "bf16")
    same = {name for name in plain if torch.equal(plain[name], asked[name])}
    assert same == {name for name in plain if not name.startswith("bckd")}
    assert same != set(plain)


@pytest.fixture(scope="module")
def specs(distilled: TrialSpec) -> dict[str, TrialSpec]:
    """Return trials in every precision, of which two ask the teacher in bf16."""
    return {
        "fp32": distilled,
        "bf16": changed(distilled, schedule=sgd(precision="bf16")),
        "mixed": changed(
            distilled, schedule=sgd(teacher_precision="bf16"), method=PkdMethod(kind="pkd"), student=detector(2.0)
        ),
        "fp16": changed(distilled, schedule=adamw(precision="fp16", teacher_precision="fp32")),
        "cross": changed(
            distilled, schedule=sgd(precision="bf16"), method=CrossKd(kind="crosskd", convs=1), student=detector(2.0)
        ),
    }


def test_students_of_different_precisions_share_a_teacher(
    specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Precision] = []
    forward = FrozenTeacher.forward

    def counted(self: FrozenTeacher, inputs: Tensor, precision: Precision) -> Any:
        asked.append(precision)
        return forward(self, inputs, precision)

    alone = {name: train_once(spec) for name, spec in specs.items()}
    monkeypatch.setattr(FrozenTeacher, "forward", counted)
    list(train_together([job(spec, tmp_path / name, name) for name, spec in specs.items()]))
    for name, directory in alone.items():
        assert_same_run(directory, tmp_path / name)
    assert asked.count("fp32") == asked.count("bf16") == len(asked) / 2 == read_history(tmp_path / "fp32")[-1].step


def test_precision_changes_what_is_learnt(specs: dict[str, TrialSpec], train_once: TrainOnce) -> None:
    assert differing(state(train_once(specs["fp32"]) / "last.pth"), state(train_once(specs["bf16"]) / "last.pth"))


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_training_in_half_precision_goes_on_to_the_bit(
    name: str, specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path
) -> None:
    wanted = job(specs[name], tmp_path, checkpoint_steps=1)
    for step in (1, 3, 4):
        die_at(wanted, step)
    train_alone(wanted)
    assert_same_run(train_once(specs[name]), tmp_path)


def test_a_step_that_overflows_changes_nothing_but_the_scale() -> None:
    layer = torch.nn.Linear(4, 1)
    optimizer = build_optimizer(layer, sgd(precision="fp16", clip_grad=1.0))
    assert isinstance(optimizer, ScaledOptimWrapper)
    before, scale = layer.weight.clone(), optimizer.loss_scaler.get_scale()
    optimizer.backward(layer(torch.full((1, 4), 1e35)).sum() * 1e5)
    optimizer.step()
    assert torch.equal(layer.weight, before)
    assert optimizer.state_dict()["loss_scaler"]["scale"] == scale / 2
    optimizer.zero_grad()
    optimizer.backward(layer(torch.ones(1, 4)).sum())
    optimizer.step()
    assert not torch.equal(layer.weight, before)


def test_order_of_memory_changes_rounding_only(distilled: TrialSpec, train_once: TrainOnce, tmp_path: Path) -> None:
    one_step = changed(distilled, schedule=sgd(iterations=1))
    train_alone(job(one_step, tmp_path, channels_last=True))
    found, wanted = state(tmp_path / "last.pth"), state(train_once(one_step) / "last.pth")
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5)


def test_a_detector_is_placed_with_its_convolutions_in_that_order() -> None:
    model = placed(woken(config_of("gfl"), 1), torch.device("cpu"), channels_last=True)
    assert model.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last)
