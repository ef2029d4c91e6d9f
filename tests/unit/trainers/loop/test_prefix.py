"""Prove that a trial which starts from another one's state has the results of its own training, to the bit."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainers.state.test_resume import killed_at
from tests.unit.trainers.tiny import TrainOnce, adamw, assert_same_run, changed, dataset, job, sgd, trial
from trainers.loop.loop import train, train_alone
from trainers.schema import Bckd, Job, Teacher, TrialSpec
from trainers.schema.agreement import agreement, parting_epochs
from trainers.schema.events import read_events
from trainers.schema.method import TermSum
from trainers.schema.record import BEST, Record, read_history, steps_of_others
from trainers.schema.schedule import ConstantPolicy, CosinePolicy, Ema, FlatCosinePolicy, StepPolicy
from trainers.schema.terms import BckdCls, Cwd, GradShare
from trainers.schema.trial import Prefix
from trainers.state.checkpoints import TrialFiles

STEPS_PER_EPOCH = 2
Pair = tuple[TrialSpec, TrialSpec]


def steps(*milestones: int, gamma: float = 0.1) -> StepPolicy:
    return StepPolicy(kind="step", milestones=milestones, gamma=gamma)


def schedules(one: dict[str, Any], other: dict[str, Any], **both: Any) -> Callable[[Teacher], Pair]:
    """Return trials without a teacher that differ in their schedules."""
    data = both.pop("data", dataset())

    def pair(teacher: Teacher) -> Pair:
        found = (changed(trial(), dataset=data, schedule=sgd(**{**both, **keys})) for keys in (one, other))
        return next(found), next(found)

    return pair


def methods(one: dict[str, Any], other: dict[str, Any], **schedule: Any) -> Callable[[Teacher], Pair]:
    """Return trials that differ in the moments in which a term acts: one with a weight, or a connector and a held share."""

    def method(when: dict[str, Any]) -> TermSum:
        bckd = BckdCls(kind="bckd-cls", weight=2.0, **when)
        held = Cwd(kind="cwd", weight=GradShare(grad_share=0.2, every=1), **{"from": 1})
        return TermSum(kind="terms", terms=(bckd, held))

    def pair(teacher: Teacher) -> Pair:
        base = {"epochs": 4, "policy": steps(3)}
        found = [
            trial(teacher=teacher, method=method(when), schedule=sgd(**{**base, **schedule})) for when in (one, other)
        ]
        return found[0], found[1]

    return pair


def shares_of_the_schedule(teacher: Teacher) -> Pair:
    """A share of the schedule is another moment in a longer one."""
    method = Bckd(kind="bckd", **{"from": 0.5})
    lengths = (sgd(epochs=2, policy=steps(1)), sgd(epochs=4, policy=steps(1)))
    found = [trial(teacher=teacher, method=method, schedule=schedule) for schedule in lengths]
    return found[0], found[1]


FOUR = {"epochs": 4}
PAIRS: dict[str, tuple[Callable[[Teacher], Pair], int]] = {
    "a later milestone": (schedules({"policy": steps(2)}, {"policy": steps(3)}, **FOUR), 2),
    "another factor": (schedules({"policy": steps(2)}, {"policy": steps(2, gamma=0.5)}, **FOUR), 2),
    "no milestone": (schedules({"policy": steps(1, 3)}, {"policy": ConstantPolicy(kind="constant")}, **FOUR), 1),
    "twice as long": (schedules({"epochs": 2}, FOUR, policy=steps(1)), 2),
    "half as long": (schedules(FOUR, {"epochs": 2}, policy=steps(1)), 2),
    "in fp16": (schedules({"epochs": 2}, FOUR, policy=steps(1), precision="fp16"), 2),
    "a step policy and a late cosine": (
        schedules({"policy": steps(3)}, {"policy": CosinePolicy(kind="cosine", begin=2)}, **FOUR),
        2,
    ),
    "cosines of other begins": (
        schedules(
            {"policy": FlatCosinePolicy(kind="flat-cosine", begin=1)},
            {"policy": FlatCosinePolicy(kind="flat-cosine", begin=3)},
            **FOUR,
        ),
        1,
    ),
    "closing epochs": (
        schedules(
            {"closing_epochs": 1},
            {"closing_epochs": 2},
            policy=ConstantPolicy(kind="constant"),
            data=dataset(augmentation="mosaic"),
            **FOUR,
        ),
        2,
    ),
    "other evaluations": (schedules({"val_interval": 2}, {"val_interval": 3}, policy=steps(1), **FOUR), 1),
    "evaluated as the last": (schedules({"epochs": 3}, FOUR, val_interval=2, policy=steps(1)), 2),
    "in steps": (schedules({"iterations": 5}, {"iterations": 7}, epochs=None, policy=steps(3)), 2),
    "milestones in steps": (
        schedules({"policy": steps(3)}, {"policy": steps(6)}, epochs=None, iterations=7),
        1,
    ),
    "a later term": (methods({"from": 2}, {"from": 3}), 2),
    "a term that ends": (methods({}, {"until": 3}), 3),
    "a ramp": (methods({"from": 1, "ramp": 1}, {"from": 1}), 1),
    "a share of the schedule": (shares_of_the_schedule, 1),
}


def prefix_of(donor: Path, epoch: int) -> Prefix:
    step = epoch * STEPS_PER_EPOCH
    return Prefix(trial=donor.name, directory=str(donor), file=f"shared-{epoch}.pt", epoch=epoch, step=step)


def hands_on(spec: TrialSpec, folder: Path, *epochs: int) -> Job:
    """Return the job of a trial that hands its states on after ``epochs``."""
    files = {epoch: f"shared-{epoch}.pt" for epoch in epochs}
    return job(spec, folder, folder.name).model_copy(update={"hands_on": files})


def starts_from(spec: TrialSpec, folder: Path, donor: Path, epoch: int) -> Job:
    return job(spec, folder, folder.name).model_copy(update={"prefix": prefix_of(donor, epoch)})


def train_both(pair: Pair, epoch: int, tmp_path: Path) -> Path:
    """Train the first trial, then the second one from its state; return the directory of the second."""
    donor, child = tmp_path / "donor", tmp_path / "child"
    train_alone(hands_on(pair[0], donor, epoch))
    train_alone(starts_from(pair[1], child, donor, epoch))
    return child


@pytest.mark.parametrize("name", PAIRS)
def test_trials_agree_as_long_as_they_say(name: str, teacher: Teacher, train_once: TrainOnce, tmp_path: Path) -> None:
    make, epochs = PAIRS[name]
    pair = make(teacher)
    assert agreement(pair[0], pair[1], STEPS_PER_EPOCH).epochs == epochs
    assert agreement(pair[1], pair[0], STEPS_PER_EPOCH).epochs == epochs
    child, alone = train_both(pair, epochs, tmp_path), train_once(pair[1])
    assert_same_run(alone, child)
    assert steps_of_others(read_history(child)) == epochs * STEPS_PER_EPOCH  # it has really been taken over
    assert not read_events(child)
    one, other = (dict(by_epoch(read_history(folder))) for folder in (tmp_path / "donor", alone))
    after = epochs + 1
    ends = after not in one or after not in other
    assert ends or (one[after].step, one[after].metrics) != (other[after].step, other[after].metrics)  # and no longer


def by_epoch(history: list[Record]) -> list[tuple[int, Record]]:
    return [(record.epoch, record) for record in history]


def test_averages_moments_and_the_best_student_so_far_come_along(train_once: TrainOnce, tmp_path: Path) -> None:
    """The student of the donor's best epoch is the child's best if nothing beats it, whatever the donor's best is by then."""
    flat = FlatCosinePolicy(kind="flat-cosine", begin=3)
    pair = tuple(
        changed(trial(), schedule=adamw(epochs=5, policy=policy, ema=Ema()))
        for policy in (ConstantPolicy(kind="constant"), flat)
    )
    child = train_both((pair[0], pair[1]), 3, tmp_path)
    assert_same_run(train_once(pair[1]), child)


def test_a_death_at_any_moment_of_the_start_changes_nothing(
    train_once: TrainOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = schedules({"epochs": 2}, FOUR, policy=steps(1))(None)  # type: ignore[arg-type]  # no teacher is wanted
    donor, child = tmp_path / "donor", tmp_path / "child"
    train_alone(hands_on(pair[0], donor, 2))
    wanted = starts_from(pair[1], child, donor, 2)
    for name in ("save_student", "commit", "publish"):  # the best student, the state, the history
        with monkeypatch.context() as patch, contextlib.suppress(Died):
            patch.setattr(TrialFiles, name, die)
            train_alone(wanted)
            raise AssertionError(f"{name} was not called")
    for step in (4, 5, 6):
        with killed_at(step), contextlib.suppress(BaseException):
            list(train([wanted]))
    train_alone(wanted)
    assert_same_run(train_once(pair[1]), child)
    assert not read_events(child)


def test_the_best_student_so_far_is_there_before_the_first_own_step(tmp_path: Path) -> None:
    pair = schedules({"epochs": 2}, FOUR, policy=steps(1))(None)  # type: ignore[arg-type]  # no teacher is wanted
    donor, child = tmp_path / "donor", tmp_path / "child"
    train_alone(hands_on(pair[0], donor, 2))
    with killed_at(4), contextlib.suppress(BaseException):
        list(train([starts_from(pair[1], child, donor, 2)]))
    from trainers.formats.weights import read_checkpoint

    assert read_checkpoint(child / BEST)["meta"]["trial"] == "child"


class Died(Exception):
    """Stand for the death of the process."""


def die(self: TrialFiles, *args: Any) -> None:
    raise Died


@pytest.mark.parametrize("fault", ["gone", "damaged", "another epoch's"])
def test_without_a_whole_state_the_trial_is_trained_from_the_beginning(
    fault: str, train_once: TrainOnce, tmp_path: Path
) -> None:
    pair = schedules({"epochs": 2}, FOUR, policy=steps(1))(None)  # type: ignore[arg-type]  # no teacher is wanted
    donor, child = tmp_path / "donor", tmp_path / "child"
    train_alone(hands_on(pair[0], donor, 1, 2))
    path = donor / "shared-2.pt"
    if fault == "gone":
        path.unlink()
    elif fault == "damaged":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        (donor / "shared-1.pt").replace(path)
    train_alone(starts_from(pair[1], child, donor, 2))
    assert_same_run(train_once(pair[1]), child)
    assert steps_of_others(read_history(child)) == 0
    [event] = read_events(child)
    assert (event.kind, event.action) == ("state not shared", "train from the beginning")
    assert str(path) in event.detail


def test_a_donor_that_dies_hands_its_state_on_all_the_same(train_once: TrainOnce, tmp_path: Path) -> None:
    pair = schedules({"epochs": 2}, FOUR, policy=steps(1))(None)  # type: ignore[arg-type]  # no teacher is wanted
    donor, child = tmp_path / "donor", tmp_path / "child"
    for step in (1, 2, 3):
        with killed_at(step), contextlib.suppress(BaseException):
            list(train([hands_on(pair[0], donor, 1, 2)]))
    train_alone(hands_on(pair[0], donor, 1, 2))
    train_alone(starts_from(pair[1], child, donor, 2))
    assert_same_run(train_once(pair[1]), child)
    assert steps_of_others(read_history(child)) == 4


def test_what_counts_from_the_first_step_parts_at_once() -> None:
    one = trial()
    others = {
        "seed": changed(one, seed=1),
        "student.width": changed(one, student=trial(2.0).student),
        "schedule.lr": changed(one, schedule=sgd(lr=0.01)),
        "schedule.optimizer.momentum": changed(
            one, schedule=sgd(optimizer=sgd().optimizer.model_copy(update={"momentum": 0.5}))
        ),
        "schedule.ema": changed(one, schedule=sgd(ema=Ema())),
    }
    for key, other in others.items():
        found = agreement(one, other, STEPS_PER_EPOCH)
        assert (found.epochs, found.reason) == (0, f"{key} differs")


def test_the_epochs_that_are_worth_keeping_are_those_where_others_may_part() -> None:
    spec = changed(trial(), schedule=sgd(epochs=12, policy=steps(8, 11), closing_epochs=2))
    assert parting_epochs(spec, STEPS_PER_EPOCH) == (8, 10, 11, 12)


def test_a_donors_best_student_is_the_childs_under_its_own_name(tmp_path: Path) -> None:
    pair = schedules({"epochs": 2}, FOUR, policy=steps(1))(None)  # type: ignore[arg-type]  # no teacher is wanted
    child = train_both(pair, 2, tmp_path)
    from trainers.formats.weights import read_checkpoint

    best = max(read_history(child), key=lambda record: record.metrics["coco/bbox_mAP"])
    assert read_checkpoint(child / BEST)["meta"]["trial"] == "child"
    assert read_checkpoint(child / BEST)["meta"]["epoch"] == best.epoch
