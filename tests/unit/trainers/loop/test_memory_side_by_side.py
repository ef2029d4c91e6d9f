"""Prove that a student for which there is no memory beside others leaves, gives back what it holds, and trains apart."""

import gc
import weakref
from pathlib import Path

import pytest
import torch

from orchestrator.failures.kinds import FailureKind, classify
from orchestrator.worker_groups.records import linked
from tests.unit.trainers.tiny import EPOCHS, TrainOnce, adamw, assert_same_run, changed, job, trial
from trainers.loop.loop import Failed, train_alone, train_together
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import TrialSpec
from trainers.schema.record import read_history, read_status
from trainers.worker import portable


def without_memory(monkeypatch: pytest.MonkeyPatch, name: str, step: int) -> "list[weakref.ref[StudentTrainer]]":
    """Let one student find no memory at a step, as on a GPU; return where it can be looked for."""
    train_step, found = StudentTrainer.train_step, []

    def hungry(self: StudentTrainer, *args: object) -> None:
        if self.job.trial_id == name and self.step == step:
            found.append(weakref.ref(self))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        train_step(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(StudentTrainer, "train_step", hungry)
    return found


def test_a_student_without_memory_leaves_and_trains_apart(
    train_once: TrainOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs: dict[str, TrialSpec] = {"large": changed(trial(), schedule=adamw()), "small": trial()}
    hungry = without_memory(monkeypatch, "large", step=3)
    jobs = [job(spec, tmp_path / name, name) for name, spec in specs.items()]
    failures, gone = [], []
    for name, item in train_together(jobs):
        if isinstance(item, Failed):
            failures.append((name, classify(linked(portable(item.error)))))
        elif failures:  # an epoch later
            gc.collect()
            gone.append(hungry[0]() is None)
    assert failures == [("large", FailureKind.OUT_OF_MEMORY)]
    assert gone == [True, True]
    assert_same_run(train_once(specs["small"]), tmp_path / "small")
    monkeypatch.undo()
    assert read_status(tmp_path / "large") == "unfinished"
    train_alone(job(specs["large"], tmp_path / "large", "large", micro_batch=2))
    assert read_status(tmp_path / "large") == "finished"
    assert [record.epoch for record in read_history(tmp_path / "large")] == [*range(1, EPOCHS + 1)]
