"""Prove what terms weigh at a step: the schedule's factor, and the weight that holds a share of the gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor

from trainers.distill.term_weights import SMOOTHING, TermWeights
from trainers.distill.terms import build
from trainers.schema import Schedule
from trainers.schema.schedule import ConstantPolicy, StepPolicy
from trainers.schema.terms import Cwd, GradShare, Pkd
from trainers.schema.timing import Window, beyond, window_of

SCHEDULE = Schedule(epochs=10, policy=ConstantPolicy(kind="constant"))
STEPS_PER_EPOCH = 4


def weights_of(*specs: Any) -> TermWeights:
    found = TermWeights({spec.kind: build(spec) for spec in specs})
    found.follow(SCHEDULE, STEPS_PER_EPOCH)
    return found


# ------------------------------------------------------------------------------------------------ schedules


@pytest.mark.parametrize(
    ("keys", "window"),
    [
        ({}, Window(0, None, 0)),
        ({"from": 3, "until": 5, "ramp": 1}, Window(12, 20, 4)),
        ({"from": 0.5, "until": 0.9}, Window(20, 36, 0)),
        ({"from": 0.01}, Window(1, None, 0)),  # a share of a step is a whole one
    ],
)
def test_moments_are_epochs_or_shares_of_the_schedule(keys: dict[str, Any], window: Window) -> None:
    assert window_of(Pkd(kind="pkd", **keys), SCHEDULE, STEPS_PER_EPOCH) == window
    cut_short = SCHEDULE.model_copy(update={"iterations": 6})
    assert window_of(Pkd(kind="pkd", **keys), cut_short, STEPS_PER_EPOCH) == window


def test_without_epochs_a_share_counts_iterations() -> None:
    schedule = Schedule(epochs=None, iterations=50, policy=StepPolicy(kind="step", milestones=(20,)))
    assert window_of(Pkd(kind="pkd", **{"from": 0.5, "until": 40}), schedule, 3) == Window(25, 120, 0)


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"until": 10, "ramp": 10}, None),
        ({"until": 11}, "until"),
        ({"ramp": 11}, "ramp"),
        ({"from": 0.5, "ramp": 0.5}, None),
        ({"from": 0.5, "ramp": 6}, "ramp"),
        ({"from": 2, "until": 4, "ramp": 0.3}, "ramp"),
    ],
)
def test_a_moment_after_the_end_of_training_is_found(keys: dict[str, Any], key: str | None) -> None:
    found = beyond(Pkd(kind="pkd", **keys), SCHEDULE)
    assert (found and found[0]) == key


def test_epochs_of_a_schedule_in_steps_depend_on_the_data() -> None:
    schedule = Schedule(epochs=None, iterations=50, policy=StepPolicy(kind="step", milestones=(20,)))
    assert beyond(Pkd(kind="pkd", ramp=60), schedule) is None
    assert beyond(Pkd(kind="pkd", **{"from": 0.5, "ramp": 0.6}), schedule) is not None


@pytest.mark.parametrize(
    ("window", "factors"),
    [
        (Window(0, None, 0), [1.0] * 6),
        (Window(2, 4, 0), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]),
        (Window(1, None, 4), [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]),
    ],
)
def test_a_weight_is_nothing_outside_its_window_and_rises_inside(window: Window, factors: list[float]) -> None:
    assert [window.factor(step) for step in range(6)] == factors


@pytest.mark.parametrize(
    "keys",
    [{"from": 3, "until": 3}, {"from": 0.5, "until": 0.4}, {"until": 0}, {"from": 1.5}, {"ramp": -1}, {"until": 1.0}],
)
def test_moments_that_make_no_sense_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"never acts|whole epochs|epochs must be"):
        Pkd(kind="pkd", **keys)


# ----------------------------------------------------------------------------------------------- held shares


def losses(features: Tensor, **slopes: float) -> dict[str, Tensor]:
    """Return losses whose gradient at ``features`` (one element) is what is given."""
    return {name: slope * features.sum() for name, slope in slopes.items()}


def shares(features: Tensor, detection: dict[str, Tensor], distilled: dict[str, Tensor]) -> dict[str, float]:
    slopes = {
        name: abs(float(torch.autograd.grad(loss, features, retain_graph=True)[0]))
        for name, loss in (detection | distilled).items()
    }
    return {name: slope / sum(slopes.values()) for name, slope in slopes.items()}


def test_shares_are_held_beside_a_term_of_given_weight() -> None:
    features = torch.tensor([1.0], requires_grad=True)
    held = weights_of(
        Pkd(kind="pkd", weight=GradShare(grad_share=0.3)), Cwd(kind="cwd", weight=GradShare(grad_share=0.2))
    )
    detection, raw = losses(features, cls=3.0), losses(features, pkd=0.01, cwd=50.0)
    held.begin(0)
    weighed = held.weigh([features], detection, raw)
    assert shares(features, detection, weighed) == pytest.approx({"cls": 0.5, "pkd": 0.3, "cwd": 0.2})
    assert held.record() == pytest.approx({"weight/pkd": 0.3 / 0.5 * 3.0 / 0.01, "weight/cwd": 0.2 / 0.5 * 3.0 / 50.0})


def test_a_weight_follows_the_running_mean_every_k_steps_only() -> None:
    features = torch.tensor([1.0], requires_grad=True)
    held = weights_of(Pkd(kind="pkd", weight=GradShare(grad_share=0.5, every=2)))
    found = []
    for step in range(30):
        held.begin(step)
        slope = 9.0 if step % 2 else 1.0 + step
        held.weigh([features], losses(features, cls=slope), losses(features, pkd=2.0))
        found.append(held.record()["weight/pkd"])
    mean, wanted = 0.0, []
    for count, measured in enumerate(range(0, 30, 2)):
        kept = min(SMOOTHING, count / (count + 1))
        mean = kept * mean + (1 - kept) * (1.0 + measured)
        wanted += [mean / 2.0] * 2
    assert found == pytest.approx(wanted)


def test_a_measurement_is_made_once_a_step_and_not_without_gradient() -> None:
    features = torch.tensor([1.0], requires_grad=True)
    held = weights_of(Pkd(kind="pkd", weight=GradShare(grad_share=0.5)))
    held.begin(0)
    with torch.no_grad():
        held.weigh([features], losses(features, cls=7.0), losses(features, pkd=1.0))
    assert held.state_dict() == {}
    for slope in (4.0, 8.0):  # of two chunks the first counts
        held.weigh([features], losses(features, cls=slope), losses(features, pkd=1.0))
    assert held.record() == {"weight/pkd": 4.0}


@pytest.mark.parametrize("slope", [0.0, float("nan"), float("inf")])
def test_a_measurement_that_says_nothing_changes_nothing(slope: float) -> None:
    features = torch.tensor([1.0], requires_grad=True)
    held = weights_of(Pkd(kind="pkd", weight=GradShare(grad_share=0.5, every=1)))
    held.begin(0)
    held.weigh([features], losses(features, cls=1.0), losses(features, pkd=slope))
    assert held.record() == {"weight/pkd": 1.0}
    for step, pull in enumerate((4.0, slope), start=1):
        held.begin(step)
        held.weigh([features], losses(features, cls=1.0), losses(features, pkd=pull))
    assert held.record() == {"weight/pkd": 0.25}


def test_a_state_goes_on_to_the_bit() -> None:
    features = torch.tensor([1.0], requires_grad=True)
    spec = Pkd(kind="pkd", weight=GradShare(grad_share=0.4, every=1))
    first, second = weights_of(spec), weights_of(spec)
    first.begin(0)
    first.weigh([features], losses(features, cls=1.7), losses(features, pkd=0.3))
    second.load_state_dict(first.state_dict(), torch.device("cpu"))
    for each in (first, second):
        each.begin(1)
        each.weigh([features], losses(features, cls=1.1), losses(features, pkd=0.2))
    assert second.record() == first.record()
    assert torch.equal(second.state_dict()["pkd"], first.state_dict()["pkd"])


@pytest.mark.parametrize("begun", [("pkd",), ("cwd",), ("pkd", "cwd")])
def test_a_state_goes_on_with_each_term_that_has_been_measured(begun: tuple[str, ...]) -> None:
    specs = Pkd(kind="pkd", weight=GradShare(grad_share=0.3)), Cwd(kind="cwd", weight=GradShare(grad_share=0.2))
    features, first, second = torch.tensor([1.0], requires_grad=True), weights_of(*specs), weights_of(*specs)
    first.begin(0)
    first.weigh([features], losses(features, cls=1.7), losses(features, pkd=0.3, cwd=0.7))
    state = {name: means for name, means in first.state_dict().items() if name in begun}
    second.load_state_dict(state, torch.device("cpu"))
    second.begin(1)
    wanted, found = first.record(), second.record()
    assert found == {name: wanted[name] if name.removeprefix("weight/") in begun else 1.0 for name in wanted}


def test_given_weights_are_on_record_only_where_they_change() -> None:
    found = weights_of(Pkd(kind="pkd", ramp=1), Cwd(kind="cwd"))
    found.begin(1)
    assert found.record() == {"weight/pkd": 5.0}
    features = torch.tensor([1.0], requires_grad=True)
    raw = losses(features, pkd=2.0, cwd=3.0)
    weighed = found.weigh([features], losses(features, cls=1.0), raw)
    assert weighed["cwd"] is raw["cwd"]  # not even multiplied by 1
    assert float(weighed["pkd"]) == 1.0
