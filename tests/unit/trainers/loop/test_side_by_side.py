"""Prove that students trained side by side are those that each would be alone, also when others fail or leave."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainers.tiny import (
    CONFIG,
    EPOCHS,
    STEPS_PER_EPOCH,
    TrainOnce,
    adamw,
    assert_same_run,
    changed,
    detector,
    differing,
    job,
    results,
    sgd,
    state,
)
from trainers.distill.distiller import FrozenTeacher
from trainers.errors import NonFiniteLoss, TrialError
from trainers.loop import student_trainer
from trainers.loop.loop import Failed, Found, Stopped, train_together
from trainers.schema import Bckd, Job, NoDistillation, Teacher, TrialSpec
from trainers.schema.method import PkdMethod
from trainers.schema.record import Record, read_history, read_status
from trainers.schema.schedule import Ema
from trainers.schema.stop import clear_stop, request_stop

GREY = f"""
_base_ = ["{CONFIG}"]
model = dict(data_preprocessor=dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0], pad_size_divisor=64))
"""


@pytest.fixture(scope="module")
def specs(distilled: TrialSpec) -> dict[str, TrialSpec]:
    """Return trials that differ in all that may differ side by side."""
    return {
        "none": changed(distilled, method=NoDistillation(kind="none"), teacher=None),
        "short": changed(distilled, schedule=sgd(iterations=2 * STEPS_PER_EPOCH, lr=0.005)),
        "adamw": changed(distilled, method=Bckd(kind="bckd", alpha1=0.5, alpha2=2.0), schedule=adamw()),
        "pkd": changed(distilled, method=PkdMethod(kind="pkd"), student=detector(2.0)),
        "average": changed(distilled, schedule=sgd(iterations=5, ema=Ema(momentum=0.1))),
    }


def jobs_of(specs: dict[str, TrialSpec], folder: Path, **placement: Any) -> list[Job]:
    return [job(spec, folder / name, name, **placement) for name, spec in specs.items()]


def records(found: list[tuple[str, Found]], name: str) -> list[Record]:
    return [item for trial_id, item in found if trial_id == name and isinstance(item, Record)]


def poison(monkeypatch: pytest.MonkeyPatch, name: str, step: int, what: Any) -> None:
    """Let ``what`` happen to one student before its ``step``."""
    train_step = student_trainer.StudentTrainer.train_step

    def poisoned(self: student_trainer.StudentTrainer, *args: Any) -> None:
        if self.job.trial_id == name and self.step == step:
            what(self)
        train_step(self, *args)

    monkeypatch.setattr(student_trainer.StudentTrainer, "train_step", poisoned)


def make_nan(one: student_trainer.StudentTrainer) -> None:
    with torch.no_grad():
        one.student.bbox_head.scales[1].scale.fill_(float("nan"))


def test_each_equals_its_solo_run(specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path) -> None:
    found = list(train_together(jobs_of(specs, tmp_path)))
    for name, spec in specs.items():
        assert results(records(found, name)) == results(read_history(tmp_path / name))
        assert_same_run(train_once(spec), tmp_path / name)
    assert differing(state(tmp_path / "none" / "last.pth"), state(tmp_path / "average" / "last.pth"))


def test_the_teacher_is_asked_once_a_batch(
    specs: dict[str, TrialSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    forward = FrozenTeacher.forward
    monkeypatch.setattr(FrozenTeacher, "forward", lambda self, *args: asked.append(1) or forward(self, *args))
    list(train_together(jobs_of(specs, tmp_path)))
    assert len(asked) == EPOCHS * STEPS_PER_EPOCH


def test_time_is_shared_out_among_students(specs: dict[str, TrialSpec], tmp_path: Path) -> None:
    began = time.monotonic()
    list(train_together(jobs_of(specs, tmp_path)))
    lasted = time.monotonic() - began
    spent = [sum(record.timing.values()) for name in specs for record in read_history(tmp_path / name)]
    assert 0.0 < sum(spent) < lasted


def test_students_that_preprocess_otherwise_get_their_own_pixels(
    distilled: TrialSpec, train_once: TrainOnce, tmp_path: Path
) -> None:
    (tmp_path / "grey.py").write_text(GREY)
    grey = detector(config=str(tmp_path / "grey.py"))
    foreign = changed(distilled, teacher=None, method=NoDistillation(kind="none"), student=grey)
    both = {"grey": foreign, "own": distilled}
    list(train_together(jobs_of(both, tmp_path)))
    for name, spec in both.items():
        assert_same_run(train_once(spec), tmp_path / name)


@pytest.mark.parametrize(
    ("what", "error"),
    [(make_nan, NonFiniteLoss), (lambda one: (_ for _ in ()).throw(RuntimeError("shape")), RuntimeError)],
    ids=["not finite", "any error"],
)
def test_one_that_fails_leaves_and_the_others_go_on(
    what: Any,
    error: type[Exception],
    specs: dict[str, TrialSpec],
    train_once: TrainOnce,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poison(monkeypatch, "adamw", 3, what)
    found = list(train_together(jobs_of(specs, tmp_path)))
    failures = [(name, type(item.error)) for name, item in found if isinstance(item, Failed)]
    assert failures == [("adamw", error)]
    assert [record.epoch for record in records(found, "adamw")] == [1]
    for name in specs.keys() - {"adamw"}:
        assert_same_run(train_once(specs[name]), tmp_path / name)


def test_one_that_cannot_be_built_leaves(specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path) -> None:
    wrong = changed(specs["none"], student=detector(config=str(tmp_path / "nowhere.py")))
    with pytest.raises(TrialError, match="nowhere"):  # its pixels cannot be told: nobody can begin
        list(train_together(jobs_of({"wrong": wrong, "none": specs["none"]}, tmp_path)))


def test_those_that_do_not_stay_leave_after_their_record(
    specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    def active_trials(names: Sequence[str]) -> list[str]:
        asked.append(list(names))
        done = len(read_history(tmp_path / "pkd"))
        return [name for name in names if not (name == "pkd" and done == 2)]

    found = list(train_together(jobs_of(specs, tmp_path), active_trials))
    assert [record.epoch for record in records(found, "pkd")] == [1, 2]
    assert read_status(tmp_path / "pkd") == "unfinished"
    assert asked == [list(specs), list(specs), ["none", "adamw", "pkd", "average"], ["none", "adamw"]]
    for name in specs.keys() - {"pkd"}:
        assert_same_run(train_once(specs[name]), tmp_path / name)


def test_one_that_is_asked_to_stop_saves_its_state_and_goes_on_another_time(
    specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.loop.stopping.LOOK_EVERY_S", 0.0)
    poison(monkeypatch, "adamw", 2, lambda one: request_stop(one.job.directory))
    found = list(train_together(jobs_of(specs, tmp_path)))
    assert [record.epoch for record in records(found, "adamw")] == [1]
    assert [name for name, item in found if item == Stopped()] == ["adamw"]
    assert list(tmp_path.glob("adamw/resume-3.pt"))
    monkeypatch.undo()
    clear_stop(tmp_path / "adamw")
    list(train_together(jobs_of({"adamw": specs["adamw"]}, tmp_path)))
    for name, spec in specs.items():
        assert_same_run(train_once(spec), tmp_path / name)


def test_a_half_finished_cohort_goes_on_to_the_bit(
    specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path
) -> None:
    """Killed within the second epoch, when one had saved its state there and the others at the epoch's beginning."""
    jobs = jobs_of({name: spec for name, spec in specs.items() if name != "pkd"}, tmp_path)
    jobs += jobs_of({"pkd": specs["pkd"]}, tmp_path, checkpoint_steps=1)
    training = train_together(jobs)
    for name, item in training:
        assert isinstance(item, Record)
        if (name, item.epoch) == ("none", 2):
            break
    training.close()  # type: ignore[attr-defined]
    assert {read_status(tmp_path / name) for name in specs} == {"unfinished"}
    found = list(train_together(jobs))
    assert [record.epoch for record in records(found, "none")] == [1, 2, 3]
    for name, spec in specs.items():
        assert_same_run(train_once(spec), tmp_path / name)


def test_students_of_different_teachers_are_refused(distilled: TrialSpec, tmp_path: Path) -> None:
    other = changed(distilled, teacher=Teacher(detector=detector(2.0), weights=None))
    with pytest.raises(TrialError, match="same teacher"):
        list(train_together(jobs_of({"one": distilled, "other": other}, tmp_path)))
