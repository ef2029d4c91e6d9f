"""A trial's turns are all that its schedule does later on, in words that no other setting has."""

from typing import Any

import pytest

from tests.unit.trainers.tiny import trial
from trainers.schema import Schedule, TrialSpec
from trainers.schema.agreement import agreement, parting_epochs, turns
from trainers.schema.method import TermSum
from trainers.schema.schedule import ConstantPolicy, CosinePolicy, FlatCosinePolicy, StepPolicy, Warmup
from trainers.schema.terms import Pkd

PER_EPOCH = 10  # steps
CONSTANT, NO_WARMUP = ConstantPolicy(kind="constant"), Warmup(iterations=0)


def scheduled(**changes: Any) -> TrialSpec:
    return trial(schedule=Schedule(**{"epochs": 12, "policy": CONSTANT, "warmup": NO_WARMUP, **changes}))


def told(spec: TrialSpec) -> list[tuple[int, str]]:
    return [(turn.epoch, turn.setting) for turn in turns(spec, PER_EPOCH)]


PLAIN = [(0, "an evaluation every epoch"), (0, "no warm-up"), (12, "the end after 120 steps")]


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        ({}, []),
        (
            {"policy": StepPolicy(kind="step", milestones=(8, 11))},
            [(8, "milestone 8 (epochs, gamma 0.1)"), (11, "milestone 11 (epochs, gamma 0.1)")],
        ),
        (
            {"policy": CosinePolicy(kind="cosine", begin=3, final_factor=0.05), "closing_epochs": 2},
            [(3, "cosine from 3 to 10 (epochs, final_factor 0.05)"), (10, "closing epochs from 10")],
        ),
        (
            {"policy": FlatCosinePolicy(kind="flat-cosine", begin=6), "closing_epochs": 2},
            [(6, "flat-cosine from 6 to 12 (epochs, final_factor 0.0)"), (10, "closing epochs from 10")],
        ),
    ],
)
def test_a_schedules_turns_are_its_milestones_falls_and_closing_epochs(
    changes: dict[str, Any], added: list[tuple[int, str]]
) -> None:
    assert told(scheduled(**changes)) == sorted([*PLAIN, *added])


@pytest.mark.parametrize(
    ("warmup", "says"),
    [
        (Warmup(iterations=1, factor=0.1), "a linear warm-up of 1 steps from 0.1"),
        (Warmup(epochs=2, factor=0.5), "a linear warm-up of 20 steps from 0.5"),
        (Warmup(epochs=1, shape="quadratic"), "a quadratic warm-up of 10 steps from 0.001"),
    ],
)
def test_a_warm_up_parts_from_the_first_step_on(warmup: Warmup, says: str) -> None:
    assert told(scheduled(warmup=warmup)) == sorted([PLAIN[0], PLAIN[2], (0, says)])


@pytest.mark.parametrize(("every", "says"), [(1, "epoch"), (2, "2 epochs"), (12, "12 epochs")])
def test_an_evaluation_parts_in_the_epoch_before_it(every: int, says: str) -> None:
    assert (every - 1, f"an evaluation every {says}") in told(scheduled(val_interval=every))


@pytest.mark.parametrize(
    ("changes", "epoch", "steps"),
    [
        ({"iterations": 60}, 6, 60),
        ({"iterations": 61}, 6, 61),
        ({"iterations": 69}, 6, 69),
        ({"iterations": 120}, 12, 120),
        ({"iterations": 0}, 0, 0),
        ({"val_interval": 5}, 11, 120),
        ({"val_interval": 4}, 12, 120),
    ],
)
def test_an_end_that_no_evaluation_would_fall_on_parts_before_its_epoch(
    changes: dict[str, Any], epoch: int, steps: int
) -> None:
    assert told(scheduled(**changes))[-1] == (epoch, f"the end after {steps} steps")


def test_turns_after_an_early_end_part_nobody() -> None:
    policy = StepPolicy(kind="step", milestones=(3, 6, 8))
    early = told(scheduled(policy=policy, iterations=60))
    assert [setting for _, setting in early if setting.startswith("milestone")] == [
        "milestone 3 (epochs, gamma 0.1)",
        "milestone 6 (epochs, gamma 0.1)",
    ]


def test_milestones_in_steps_turn_in_their_epoch() -> None:
    policy = StepPolicy(kind="step", milestones=(39, 40))
    found = told(scheduled(epochs=None, iterations=60, policy=policy))
    assert (3, "milestone 39 (iterations, gamma 0.1)") in found
    assert (4, "milestone 40 (iterations, gamma 0.1)") in found


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, [(0, "pkd from step 0")]),
        ({"from": 2, "until": 5, "ramp": 1}, [(2, "pkd from step 20 and a ramp of 10"), (5, "pkd until step 50")]),
        ({"until": 0.5}, [(0, "pkd from step 0"), (6, "pkd until step 60")]),
    ],
)
def test_terms_turn_when_they_begin_and_end(keys: dict[str, Any], said: list[tuple[int, str]]) -> None:
    method = TermSum(kind="terms", terms=(Pkd(kind="pkd", **keys),))
    found = told(scheduled().model_copy(update={"method": method}))
    assert [turn for turn in found if turn[1].startswith("pkd")] == said


def test_trials_part_at_the_first_turn_that_one_of_them_has() -> None:
    one = scheduled(policy=StepPolicy(kind="step", milestones=(8, 11)))
    later = scheduled(policy=StepPolicy(kind="step", milestones=(8, 10)))
    found = agreement(one, later, PER_EPOCH)
    assert (found.epochs, found.reason) == (
        10,
        "milestone 11 (epochs, gamma 0.1) against milestone 10 (epochs, gamma 0.1)",
    )
    assert agreement(later, one, PER_EPOCH).epochs == 10
    same = agreement(one, one, PER_EPOCH)
    assert (same.epochs, same.reason) == (12, "nothing parts them")
    assert parting_epochs(one, PER_EPOCH) == (8, 11, 12)
