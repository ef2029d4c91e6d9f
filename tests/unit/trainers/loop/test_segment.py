"""Prove that segments make one training: what goes on from another trial has its weights, to the bit, and nothing else's."""

import contextlib
from pathlib import Path

import pytest
import torch

from tests.unit.trainers.state.test_resume import killed_at
from tests.unit.trainers.tiny import TrainOnce, adamw, changed, job, sgd, trial
from trainers.errors import TrialError
from trainers.loop.loop import train, train_alone
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Schedule, TrialSpec
from trainers.schema.record import CARRIED, LAST, read_history
from trainers.schema.schedule import Ema
from trainers.schema.tidy import drop_carried
from trainers.schema.trial import ParentTrial, Segment

STEPS_PER_EPOCH = 2


def segment(spec: TrialSpec, epochs: tuple[int, int], origin: Path | None = None) -> TrialSpec:
    begin = None if origin is None else ParentTrial(trial=origin.name, directory=str(origin))
    return changed(spec, segment=Segment(from_epoch=epochs[0], until_epoch=epochs[1], origin=begin))


def tensors(path: Path) -> dict[str, torch.Tensor]:
    content = torch.load(path, weights_only=True)
    found: dict[str, torch.Tensor] = content.get("student", content.get("state_dict"))
    return found


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("schedule", [sgd(), adamw(ema=Ema())], ids=["sgd", "adamw"])
def test_unchanged_segments_are_the_whole_training(schedule: Schedule, train_once: TrainOnce, tmp_path: Path) -> None:
    spec = changed(trial(), schedule=schedule)
    whole = train_once(spec)
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    train_alone(job(segment(spec, (0, 1)), first))
    train_alone(job(segment(spec, (1, 2), first), second))
    train_alone(job(segment(spec, (2, 3), second), third))
    records = [record for folder in (first, second, third) for record in read_history(folder)]
    assert [(r.epoch, r.step, r.metrics) for r in records] == [
        (r.epoch, r.step, r.metrics) for r in read_history(whole)
    ]
    assert [record.final for record in records] == [True] * 3  # each ends its own trial
    assert_equal(tensors(third / LAST), tensors(whole / LAST))
    assert not (third / CARRIED).exists()  # nobody goes on from the end of the schedule


def test_who_copies_has_the_others_weights_and_its_own_rate(tmp_path: Path) -> None:
    donor, copy, follower = tmp_path / "donor", tmp_path / "copy", tmp_path / "follower"
    train_alone(job(segment(changed(trial(), schedule=sgd(lr=0.02)), (0, 1)), donor))
    explored = changed(trial(), schedule=sgd(lr=0.005))
    with killed_at(STEPS_PER_EPOCH), contextlib.suppress(BaseException):
        list(train([job(segment(explored, (1, 2), donor), copy, checkpoint_steps=1)]))
    assert read_history(copy) == []  # it died before its first step
    wanted = job(segment(explored, (1, 2), donor), copy)
    at_barrier = tensors(donor / CARRIED)
    member = StudentTrainer(wanted, STEPS_PER_EPOCH, torch.device("cpu"))  # as it is before its first step
    assert_equal(dict(member.student.state_dict()), at_barrier)
    assert member.step == STEPS_PER_EPOCH
    [record] = train_alone(wanted)
    assert record.metrics["lr"] == pytest.approx(0.005 * 0.1)  # its own rate, after its own milestone
    train_alone(job(segment(explored, (1, 2), donor), follower))
    assert_equal(tensors(follower / LAST), tensors(copy / LAST))
    assert any(not torch.equal(tensors(copy / LAST)[name], value) for name, value in tensors(donor / LAST).items())


def test_a_death_within_a_segment_changes_nothing(tmp_path: Path) -> None:
    donor, undisturbed, killed = tmp_path / "donor", tmp_path / "undisturbed", tmp_path / "killed"
    train_alone(job(segment(trial(), (0, 1)), donor))
    spec = segment(trial(), (1, 3), donor)
    train_alone(job(spec, undisturbed))
    wanted = job(spec, killed, checkpoint_steps=1)
    for step in (2, 3, 4):
        with killed_at(step), contextlib.suppress(BaseException):
            list(train([wanted]))
    train_alone(wanted)
    assert [r.metrics for r in read_history(killed)] == [r.metrics for r in read_history(undisturbed)]
    assert_equal(tensors(killed / LAST), tensors(undisturbed / LAST))


def test_a_lost_or_damaged_state_is_named(tmp_path: Path) -> None:
    donor = tmp_path / "donor"
    train_alone(job(segment(trial(), (0, 1)), donor))
    wanted = job(segment(trial(), (1, 2), donor), tmp_path / "next")
    content = bytearray((donor / CARRIED).read_bytes())
    content[len(content) // 2] ^= 1
    (donor / CARRIED).write_bytes(content)
    with pytest.raises(TrialError, match=r"carried.pt is gone or damaged"):
        train_alone(wanted)
    drop_carried(donor)
    with pytest.raises(TrialError, match=r"carried.pt is gone or damaged"):
        train_alone(wanted)
