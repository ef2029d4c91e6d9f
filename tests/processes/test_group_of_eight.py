"""Prove on eight gloo processes, at toy size, what a group of eight GPUs relies on."""

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.processes.gloo import GlooGroup, in_a_group
from tests.processes.test_worker_group import losses, run
from tests.unit.trainers.tiny import CONFIG, TrainOnce, assert_same_run, dataset, job, sgd, state, trial
from trainers.data.datasets import build_dataset
from trainers.data.loaders import TrainStream, evaluation_batches
from trainers.data.seeding import derive
from trainers.detectors.detector import build_empty
from trainers.errors import TrialError
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Bckd, Detector, Job, Teacher, TrialSpec, Weights
from trainers.schema.record import read_history
from trainers.schema.schedule import ConstantPolicy, Warmup

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

WORKERS, BATCH, EPOCHS = 8, 16, 2
SLOW, LOST = 3, 5
GONE = 17  # the exit code of the worker that is lost
LIMIT = timedelta(minutes=10)  # eight processes on a busy machine come one after the other
IMAGES = dataset(train_images=2 * BATCH, val_images=5, image_size=(96, 96), max_objects=8)  # some workers evaluate none
SCHEDULE = sgd(
    epochs=EPOCHS, batch_size=BATCH, lr=1e-4, policy=ConstantPolicy(kind="constant"), warmup=Warmup(iterations=0)
)


@pytest.fixture(scope="module")
def eight() -> Iterator[GlooGroup]:
    """Fork the workers from a process that has imported mmdet, once for all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trainers.loop.loop", "tests.unit.trainers.tiny"])
    group = GlooGroup(WORKERS, context, LIMIT)
    yield group
    group.close()


@pytest.fixture(scope="module")
def distilling(teacher: Teacher, tmp_path_factory: pytest.TempPathFactory) -> TrialSpec:
    """Return a BCKD trial whose results do not depend on the number of workers: frozen norms, no gate.

    Scores of a half keep the divisor of the box losses above 1, below which mmdet does not let it fall.
    """
    student = Detector(config=CONFIG, weights="imagenet")
    start = tmp_path_factory.mktemp("start") / "start.pth"
    weights = build_empty(student, 3, seed=9).state_dict()
    weights["bbox_head.gfl_cls.bias"].zero_()
    torch.save({"state_dict": weights}, start)
    method = Bckd(kind="bckd", level_gate="none")
    init = Weights(path=str(start))
    return trial(dataset=IMAGES, student=student, init=init, teacher=teacher, method=method, schedule=SCHEDULE)


@pytest.fixture(scope="module")
def trained(eight: GlooGroup, distilling: TrialSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train all that the tests look at, and return the folder of the trials."""
    folder = tmp_path_factory.mktemp("eight")
    texts = [job(distilling, folder / name).model_dump_json() for name in ("whole", "slow", "resumed")]
    texts.append(job(distilling, folder / "chunked", micro_batch=1).model_dump_json())
    lost = job(distilling, folder / "lost").model_dump_json()
    lose_a_worker(eight, folder, lost)
    eight.run(work, folder, [*texts, lost])
    return folder


def work(rank: int, texts: list[str]) -> None:
    """Be one worker of the group."""
    whole, slow, resumed, chunked, lost = (Job.model_validate_json(text) for text in texts)
    run(whole)
    with pytest.MonkeyPatch.context() as patch:
        if rank == SLOW:
            before_each_step(patch, lambda _: time.sleep(0.3))
        run(slow)
    run(resumed, until=1)
    run(resumed)
    run(chunked)
    run(lost)


def before_each_step(patch: pytest.MonkeyPatch, act: Any) -> None:
    step = StudentTrainer.train_step

    def acting(trainer: StudentTrainer, chunks: Any) -> None:
        act(trainer.step)
        step(trainer, chunks)

    patch.setattr(StudentTrainer, "train_step", acting)


def lose_a_worker(eight: GlooGroup, folder: Path, text: str) -> None:
    """Train a trial in eight processes of which one dies in the second epoch."""
    context = multiprocessing.get_context("forkserver")
    meeting = folder / "with-a-loss"
    meeting.mkdir()
    calls = eight.calls(until_one_is_lost, meeting, str(meeting), text)
    processes = [context.Process(target=in_a_group, args=(call,)) for call in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    (meeting / "exit-codes").write_text(json.dumps([process.exitcode for process in processes]))


def until_one_is_lost(rank: int, folder: str, text: str) -> None:
    """Train, and note which error ends the training of a worker that is left."""
    with pytest.MonkeyPatch.context() as patch:
        if rank == LOST:
            before_each_step(patch, lambda step: os._exit(GONE) if step == 3 else None)
        try:
            run(Job.model_validate_json(text))
        except (RuntimeError, TrialError) as error:
            (Path(folder) / f"error-{rank}").write_text(type(error).__name__)


# ------------------------------------------------------------------------------------------------------------- tests


def images(batch: dict[str, Any]) -> list[int]:
    return [sample.img_id for sample in batch["data_samples"]]


def streamed(rank: int, world: int) -> list[list[int]]:
    data = build_dataset(IMAGES, "train")
    stream = TrainStream(data, batch_size=BATCH, seed=derive(0, "data"), rank=rank, world=world, loader_workers=0)
    return [images(batch) for batch in stream.batches(0, 4)]


def test_eight_shares_make_the_batches_of_one_worker() -> None:
    shares = [streamed(rank, WORKERS) for rank in range(WORKERS)]
    batches = [list(chain(*parts)) for parts in zip(*shares, strict=True)]
    assert batches == streamed(0, 1)
    assert {len(part) for share in shares for part in share} == {BATCH // WORKERS}


def test_each_image_is_evaluated_by_one_worker() -> None:
    data = build_dataset(IMAGES, "val")
    shares = [list(chain(*map(images, evaluation_batches(data, rank=rank, world=WORKERS)))) for rank in range(WORKERS)]
    alone = chain(*map(images, evaluation_batches(data, rank=0, world=1)))
    assert sorted(chain(*shares)) == sorted(alone)
    assert [] in shares


@pytest.mark.parametrize("name", ["whole", "chunked"])
def test_eight_workers_train_what_one_trains(
    name: str, trained: Path, train_once: TrainOnce, distilling: TrialSpec
) -> None:
    alone, together = read_history(train_once(distilling)), read_history(trained / name)
    assert len(alone) == len(together) == EPOCHS
    for found, wanted in zip(together, alone, strict=True):
        assert losses(found) == pytest.approx(losses(wanted), rel=1e-5)
    one, many = state(train_once(distilling) / "last.pth"), state(trained / name / "last.pth")
    for key, value in one.items():
        torch.testing.assert_close(many[key], value, rtol=1e-3, atol=1e-5, msg=key)
    assert losses(alone[1]) != pytest.approx(losses(alone[0]), rel=1e-3)


def test_eight_workers_evaluate_as_one(trained: Path, train_once: TrainOnce, distilling: TrialSpec) -> None:
    start = Weights(path=str(trained / "whole" / "last.pth"))
    looked_at = distilling.model_copy(update={"init": start, "schedule": sgd(iterations=0)})
    (record,) = read_history(train_once(looked_at))
    together = read_history(trained / "whole")[-1].metrics
    found = {name: value for name, value in record.metrics.items() if name.startswith("coco/")}
    assert found["coco/bbox_mAP_50"] > 0.0
    assert {name: together[name] for name in found} == pytest.approx(found, abs=1e-6)


def test_a_slow_worker_changes_no_bit(trained: Path) -> None:
    assert_same_run(trained / "slow", trained / "whole")


@pytest.mark.parametrize("name", ["resumed", "lost"])
def test_an_interrupted_training_has_the_bits_of_one_that_was_not(name: str, trained: Path) -> None:
    assert_same_run(trained / name, trained / "whole")


def test_what_all_workers_have_alike_is_no_mean(trained: Path, distilling: TrialSpec) -> None:
    """A third of three times a number need not be the number: frozen statistics and mean pixels would drift."""
    start, end = state(Path(distilling.init.path)), state(trained / "whole" / "last.pth")
    frozen = [name for name in start if name.endswith(("running_mean", "running_var"))]
    assert frozen
    assert all(torch.equal(start[name], end[name]) for name in frozen)


def test_all_others_learn_of_a_lost_worker(trained: Path) -> None:
    """Each ends with an error that is no fault of the trial's own, so the trial starts again from its last state."""
    folder = trained / "with-a-loss"
    assert json.loads((folder / "exit-codes").read_text())[LOST] == GONE
    errors = {path.name: path.read_text() for path in folder.glob("error-*")}
    assert errors.keys() == {f"error-{rank}" for rank in range(WORKERS) if rank != LOST}
    assert TrialError.__name__ not in errors.values()
