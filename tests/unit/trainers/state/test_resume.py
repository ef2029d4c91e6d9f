"""Prove that a training that dies anywhere goes on as if nothing had happened, to the last bit."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.unit.trainers.tiny import TrainOnce, assert_same_run, changed, dataset, job, sgd, trial
from trainers.distill.meters import LossMeter
from trainers.loop.loop import train, train_alone
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Job, TrialSpec
from trainers.schema.image_pipeline import Mosaic
from trainers.schema.record import read_history
from trainers.schema.schedule import Ema
from trainers.state.train_state import mean_of

STEPS, WORKERS = 6, 2  # two epochs of three steps
SHORT = sgd(epochs=2, policy=sgd().policy.model_copy(update={"milestones": (1,)}))


class Killed(BaseException):
    """Stand for the death of the process."""


@contextlib.contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Let the process die when it begins a step."""
    train_step = StudentTrainer.train_step

    def die(self: StudentTrainer, *args: object) -> None:
        if self.step == step:
            raise Killed
        train_step(self, *args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudentTrainer, "train_step", die)
        yield


def die_at(wanted: Job, step: int) -> None:
    with killed_at(step), pytest.raises(Killed):
        list(train([wanted]))


@pytest.fixture(scope="module")
def plain() -> TrialSpec:
    """Return a trial with batch norms that train."""
    return changed(trial(), dataset=dataset(train_images=12, val_images=3), schedule=SHORT)


def test_dying_at_every_step_changes_nothing(
    plain: TrialSpec, distilled: TrialSpec, train_once: TrainOnce, tmp_path: Path
) -> None:
    """First, middle and last step of an epoch, and right after one; loss sums, telemetry and averaged weights."""
    spec = changed(distilled, dataset=plain.dataset, schedule=SHORT.model_copy(update={"ema": Ema()}))
    wanted = job(spec, tmp_path, checkpoint_steps=1)
    for step in range(STEPS):
        die_at(wanted, step)
        assert [record.step for record in read_history(tmp_path)] == list(range(3, step + 1, 3))
    train_alone(wanted)
    assert_same_run(train_once(spec), tmp_path)


def test_what_was_done_since_the_last_state_is_done_again(
    plain: TrialSpec, train_once: TrainOnce, tmp_path: Path
) -> None:
    mixed = dataset(train_images=12, val_images=3, augmentation="mosaic", mosaic=Mosaic(affine_scale=(0.5, 1.5)))
    spec = changed(plain, dataset=mixed)
    wanted = job(spec, tmp_path, checkpoint_steps=2)
    for step in (2, 5):  # saved after steps 2, 3 (an epoch's end) and 4
        die_at(wanted, step)
    train_alone(wanted)
    assert_same_run(train_once(spec), tmp_path)


def test_the_time_of_an_epoch_counts_its_beginning_too(plain: TrialSpec, tmp_path: Path) -> None:
    wanted = job(plain, tmp_path, checkpoint_steps=1)
    die_at(wanted, 2)
    path = tmp_path / "resume-2.pt"
    spent = torch.load(path)["begun"][0]["spent_s"]
    assert spent > 0
    first = next(train([wanted]))[1]
    assert first.timing["time/train_s"] > spent


# ------------------------------------------------------------------------------------------------------ two workers


def test_another_number_of_workers_gets_the_losses_of_all_that_there_were() -> None:
    losses = [[1.0, 4.0], [3.0, 6.0], [2.0, 5.0]]  # of three workers, two steps each
    begun = []
    for mine in losses:
        meter = LossMeter()
        for loss in mine:
            meter.add({"total": torch.tensor(loss)})
        buffers = [[torch.tensor([mine[0]]), torch.tensor(7)]]
        begun.append({"meter": meter.state_dict(), "telemetry": {"share": mine[0]}, "buffers": buffers, "spent_s": 3.0})
    found = mean_of(begun)
    meter = LossMeter()
    meter.load_state_dict(found["meter"], torch.device("cpu"))
    assert meter.take() == {"total": pytest.approx(21.0 / 6)}
    assert found["telemetry"] == {"share": pytest.approx(2.0)}
    assert found["buffers"] == [[torch.tensor([2.0]), torch.tensor(7)]]
    assert found["spent_s"] == 3.0
