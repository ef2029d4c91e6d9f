"""The average of a student is mmdet's, is what is evaluated and exported, and survives interruptions and workers."""

import contextlib
import math
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.unit.trainers.host_reads import host_reads
from tests.unit.trainers.tiny import TrainOnce, assert_same_run, differing, job, sgd, state, trial
from trainers.loop.loop import train, train_alone
from trainers.schema import TrialSpec
from trainers.schema.record import read_history
from trainers.schema.schedule import Ema
from trainers.state.ema import StudentAverage

SETTINGS = Ema(momentum=0.02, gamma=10)
WORKERS = 2


def student(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Linear(4, 5).requires_grad_(False))


def disturb(module: nn.Module, step: int) -> None:
    """Change all parameters and the batch-norm statistics, as a training step does."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator), alpha=0.1)
            else:
                tensor.add_(1)


class Shared(nn.Module):
    """Have one convolution on two levels, as RTMDet's head does."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList([student(), student(1)])
        self.levels[1][0] = self.levels[0][0]


def averaged() -> TrialSpec:
    return trial(schedule=sgd(ema=SETTINGS))


def test_a_tensor_that_layers_share_moves_once() -> None:
    """In mmdet it moves once for each layer, which is a shorter average."""
    module = Shared()
    average = StudentAverage(module, SETTINGS)
    expected = None
    for step in range(10):
        disturb(module, step)
        now = module.levels[0][0].weight.detach().double()
        share = (1 - SETTINGS.momentum) * math.exp(-(1 + step) / SETTINGS.gamma) + SETTINGS.momentum
        expected = now if expected is None else (1 - share) * expected + share * now
        average.update(module)
    assert expected is not None
    found = average.module.state_dict()
    torch.testing.assert_close(found["levels.0.0.weight"].double(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(found["levels.0.0.weight"], found["levels.1.0.weight"])


def test_the_average_is_mmdets_to_the_bit() -> None:
    from mmdet.models.layers import ExpMomentumEMA  # a spawned worker imports this file, and must import trainers first

    module = student()
    ours = StudentAverage(module, SETTINGS)
    theirs = ExpMomentumEMA(module, momentum=SETTINGS.momentum, gamma=SETTINGS.gamma, update_buffers=True)
    assert differing(ours.module.state_dict(), theirs.module.state_dict()) == []
    for step in range(40):
        disturb(module, step)
        ours.update(module)
        theirs.update_parameters(module)
        assert differing(ours.module.state_dict(), theirs.module.state_dict()) == []


def test_a_saved_average_goes_on_to_the_bit() -> None:
    module = student()
    whole = StudentAverage(module, SETTINGS)
    resumed = StudentAverage(student(seed=1), SETTINGS)
    for step in range(8):
        if step == 4:
            resumed.load_state_dict(deepcopy(whole.state_dict()))
        disturb(module, step)
        for average in (whole, resumed) if step >= 4 else (whole,):
            average.update(module)
    assert differing(whole.module.state_dict(), resumed.module.state_dict()) == []


def test_updating_waits_for_no_device_and_keeps_no_graph() -> None:
    module = student()
    average = StudentAverage(module, SETTINGS)
    average.update(module)
    assert host_reads(lambda: average.update(module)) == set()
    assert not any(parameter.requires_grad for parameter in average.module.parameters())


def test_the_exported_student_is_the_average_of_those_after_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after: list[dict[str, Tensor]] = []
    update = StudentAverage.update

    def noted(self: StudentAverage, module: nn.Module) -> None:
        after.append({name: tensor.double() for name, tensor in module.state_dict().items()})
        update(self, module)

    monkeypatch.setattr(StudentAverage, "update", noted)
    train_alone(job(averaged(), tmp_path))
    expected, *others = after
    for number, found in enumerate(others, start=1):
        share = 0.02 + 0.98 * math.exp(-(1 + number) / 10)
        expected = {name: (1 - share) * tensor + share * found[name] for name, tensor in expected.items()}
    exported = state(tmp_path / "last.pth")
    names = [name for name, tensor in exported.items() if tensor.is_floating_point()]
    assert len(after) == 6
    for name in names:
        torch.testing.assert_close(exported[name].double(), expected[name], rtol=1e-5, atol=1e-6)
    assert any(not torch.allclose(exported[name].double(), after[-1][name], rtol=1e-3) for name in names)


def test_averaging_changes_what_is_evaluated_and_not_what_is_trained(train_once: TrainOnce) -> None:
    plain, averaging = read_history(train_once(trial())), read_history(train_once(averaged()))
    for first, second in zip(plain, averaging, strict=True):
        assert of_training(first.metrics) == of_training(second.metrics)
    assert [record.metrics for record in plain] != [record.metrics for record in averaging]
    assert differing(state(train_once(trial()) / "last.pth"), state(train_once(averaged()) / "last.pth"))


def of_training(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name.startswith("loss/") or name == "lr"}


def test_a_resumed_trial_equals_the_undisturbed_one(train_once: TrainOnce, tmp_path: Path) -> None:
    wanted = job(averaged(), tmp_path)
    for _ in range(2):
        with contextlib.closing(train([wanted])) as records:  # type: ignore[type-var]
            known = len(read_history(tmp_path))
            for _, record in records:
                if record.epoch > known:
                    break
    train_alone(wanted)
    assert_same_run(train_once(averaged()), tmp_path)


def test_a_trial_that_only_evaluates_exports_the_student_as_it_is(tmp_path: Path) -> None:
    untrained = {"iterations": 0, "ema": SETTINGS}
    train_alone(job(trial(schedule=sgd(**untrained)), tmp_path / "averaged"))
    train_alone(job(trial(schedule=sgd(iterations=0)), tmp_path / "plain"))
    assert_same_run(tmp_path / "averaged", tmp_path / "plain")
