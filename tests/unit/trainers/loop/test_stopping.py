"""A training that is asked to stop between two epochs goes on later as if nothing had happened."""

from collections.abc import Callable
from pathlib import Path

import pytest

import trainers.loop.stopping as stopping
from tests.unit.trainers.tiny import assert_same_run, changed, dataset, job, sgd, trial
from trainers.loop.loop import train
from trainers.schema import TrialSpec
from trainers.schema.record import read_status
from trainers.schema.schedule import Ema
from trainers.schema.stop import clear_stop, request_stop

WORKERS, STEPS_PER_EPOCH = 2, 3


@pytest.fixture(scope="module")
def spec() -> TrialSpec:
    """Return a trial of 2 epochs with 3 steps each, with batch norms that train and averaged weights."""
    schedule = sgd(epochs=2, batch_size=4, policy=sgd().policy.model_copy(update={"milestones": (1,)}), ema=Ema())
    return changed(trial(), dataset=dataset(train_images=12, val_images=4), schedule=schedule)


def stop_at(step: int) -> Callable[[str], bool]:
    """Return what sees the wish to stop when it is asked for the ``step``-th time, from 0; it is asked before each step."""
    asked = iter(range(10**6))
    return lambda directory: next(asked) >= step


@pytest.fixture(autouse=True)
def looks_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "LOOK_EVERY_S", 0.0)  # all steps of an epoch may take less than the usual time


@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_stop_in_an_epoch_loses_nothing(
    step: int, spec: TrialSpec, train_once: Callable[[TrialSpec], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(stopping, "stop_requested", stop_at(step))
        assert len(list(train([job(spec, tmp_path)]))) == step // STEPS_PER_EPOCH
    assert read_status(tmp_path) == "unfinished"
    assert len(list(train([job(spec, tmp_path)]))) == 2
    assert_same_run(train_once(spec), tmp_path)


def test_a_stop_before_the_first_step_leaves_a_new_trial(spec: TrialSpec, tmp_path: Path) -> None:
    request_stop(tmp_path)
    assert list(train([job(spec, tmp_path)])) == []
    assert read_status(tmp_path) == "new"
    clear_stop(tmp_path)
    assert [record.final for _, record in train([job(spec, tmp_path)])] == [False, True]


def test_a_stop_at_an_epochs_end_keeps_what_the_epoch_committed(
    spec: TrialSpec, train_once: Callable[[TrialSpec], Path], tmp_path: Path
) -> None:
    for _, record in train([job(spec, tmp_path)]):
        request_stop(tmp_path)
        assert record.epoch == 1
    before = {path.name: path.read_bytes() for path in tmp_path.glob("resume-*")}
    assert len(list(train([job(spec, tmp_path)]))) == 1  # still asked to stop: the record is replayed, no step is made
    assert {path.name: path.read_bytes() for path in tmp_path.glob("resume-*")} == before
    clear_stop(tmp_path)
    list(train([job(spec, tmp_path)]))
    assert_same_run(train_once(spec), tmp_path)
