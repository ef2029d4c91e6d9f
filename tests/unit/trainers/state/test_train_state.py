"""A training's state goes into another one of its kind whole, and into no other: each way in which it can differ is told."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from trainers.distill.term_weights import TermWeights
from trainers.errors import TrialError
from trainers.schema.schedule import Ema
from trainers.state.ema import StudentAverage
from trainers.state.train_state import TrainState

PATH = Path("trial/resume-3.pt")
KEYS = ("student", "average", "optimizer", "schedulers", "step")


class Head:
    """Keep a number from step to step, as a few heads do."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def state(self) -> dict[str, Any]:
        return self.kept

    def load_state(self, state: dict[str, Any]) -> None:
        self.kept = state


def training(width: int = 3, rate: float = 0.4) -> TrainState:
    """Return the state of a tiny training with an average and two schedulers: of the rate and of a warm-up."""
    torch.manual_seed(width)
    student = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))
    connectors = nn.ModuleDict({"pkd": nn.Linear(2, 2)})
    parts = SimpleNamespace(student=student, connectors=connectors, weights=TermWeights({}), adapter=Head())
    optimizer = torch.optim.SGD(student.parameters(), lr=rate, momentum=0.9, weight_decay=rate / 100)
    schedulers = [
        torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5),
        torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=3),
    ]
    average = StudentAverage(student, Ema(momentum=0.25, gamma=1))
    return TrainState(parts, average, optimizer, schedulers, torch.device("cpu"))  # type: ignore[arg-type]


def step(state: TrainState) -> None:
    """Make one step on numbers that depend on the step alone."""
    torch.manual_seed(state.step)
    loss = state._student(torch.randn(4, 2)).square().sum()
    state._optimizer.zero_grad()
    loss.backward()
    state._optimizer.step()
    assert state._average is not None
    state._average.update(state._student)
    for scheduler in state._schedulers:
        scheduler.step()
    state.meter.add({"total": loss})
    state.step += 1
    state._adapter.load_state({"seen": state.step})


def stepped(steps: int, **kind: Any) -> TrainState:
    state = training(**kind)
    for _ in range(steps):
        step(state)
    return state


def saved(state: TrainState) -> dict[str, Any]:
    return copy.deepcopy(state.shared() | {"begun": state.begun(0.0)})


def assert_equal(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, rtol=0.0, atol=0.0)


def test_a_training_goes_on_from_its_state_to_the_bit() -> None:
    wanted, found = stepped(3), training()
    found.load(saved(wanted), PATH)
    for _ in range(3):
        step(wanted)
        step(found)
    mine, theirs = saved(found), saved(wanted)
    assert (mine.pop("optimizer")["param_groups"], mine.pop("schedulers")) == (
        theirs["optimizer"]["param_groups"],
        theirs["schedulers"],
    )
    assert_equal({key: mine[key] for key in mine}, {key: theirs[key] for key in mine})
    assert_equal(found._optimizer.state_dict()["state"], theirs["optimizer"]["state"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        *((lambda state, key=key: state.pop(key), rf"KeyError: '?{key}") for key in KEYS),
        (lambda state: state["schedulers"].pop(), "ValueError: zip"),
        (lambda state: state["schedulers"].append({}), "ValueError: zip"),
        (lambda state: state.update(schedulers=None), "TypeError: "),
        (lambda state: state["begun"][0].pop("buffers"), "KeyError: 'buffers'"),
        (lambda state: state["begun"][0]["buffers"].pop(), "ValueError: zip"),
        (lambda state: state["begun"][0].update(telemetry=None), "AttributeError: "),
        (lambda state: state["optimizer"]["param_groups"][0]["params"].pop(), "ValueError: "),
        (lambda state: state.update(student=training(width=4).shared()["student"]), "RuntimeError: "),
        (lambda state: state["connectors"].popitem(), "RuntimeError: "),
    ],
)
def test_the_state_of_another_training_is_told(change: Any, reason: str) -> None:
    state = saved(stepped(3))
    change(state)
    with pytest.raises(
        TrialError, match=rf"resume-3.pt is no state of this training \({reason}.*: delete trial to train anew"
    ):
        training().load(state, PATH)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        *((lambda state, key=key: state.pop(key), "KeyError") for key in KEYS if key != "schedulers"),
        (lambda state: state.update(optimizer=None), "TypeError"),
        (lambda state: state.update(head=None, connectors=[]), "TypeError"),
        (lambda state: state["average"].update(student=training(width=4).shared()["student"]), "RuntimeError"),
        (lambda state: state["connectors"].popitem(), "RuntimeError"),
    ],
)
def test_a_state_that_cannot_be_taken_over_is_told(change: Any, reason: str) -> None:
    state = saved(stepped(3))
    change(state)
    with pytest.raises(TrialError, match=rf"resume-3.pt is no state that this training can go on from \({reason}\)"):
        training().take_over(state, PATH)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_what_is_taken_over_are_weights_and_moments_and_the_schedule_stays_ones_own(steps: int) -> None:
    other, own = stepped(steps), stepped(steps, rate=0.8)
    found = training(rate=0.8)
    found.take_over(saved(other), PATH)
    mine, theirs, schedule = found.shared(), other.shared(), own.shared()
    assert found.step == steps
    for key in ("student", "average", "connectors", "head"):
        assert_equal(mine[key], theirs[key])
    assert_equal(mine["optimizer"]["state"], theirs["optimizer"]["state"])
    assert mine["optimizer"]["param_groups"] == schedule["optimizer"]["param_groups"]


def test_the_mean_number_of_workers_counts_the_time_that_each_number_took() -> None:
    state = training()
    assert state.mean_workers(0.0) == state.mean_workers(5.0) == 1
    state.spent_s, state.spent_workers = 6.0, 2.0
    assert state.mean_workers(9.0) == pytest.approx((6 * 2 + 3 * 1) / 9)
    assert state.mean_workers(6.0) == state.mean_workers(4.0) == 2.0


def test_an_epoch_that_two_workers_began_goes_on_with_one_of_their_means() -> None:
    begun = stepped(2).begun(4.0) + stepped(2).begun(8.0)
    begun[0]["telemetry"], begun[1]["telemetry"] = {"share": 0.25}, {"share": 0.75}
    begun[1]["meter"]["sums"]["total"] += 2.0
    begun[1]["buffers"] = [[buffer + 2 for buffer in module] for module in begun[1]["buffers"]]
    found = training()
    found.load(stepped(2).shared() | {"begun": copy.deepcopy(begun)}, PATH)
    assert found.telemetry == {"share": torch.tensor(0.25)}, "the record holds what the first worker has probed"
    assert found.spent_s == 6.0
    assert found.meter.take() == {"total": pytest.approx((begun[0]["meter"]["sums"]["total"] + 1.0) / 2)}
    first = begun[0]["buffers"][0][0]
    torch.testing.assert_close(next(iter(found.modules[0].buffers())), first + 1.0)
