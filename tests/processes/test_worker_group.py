"""Prove on two gloo processes that a worker group trains what one worker trains, and resumes to the bit."""

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.processes.gloo import WORKERS, GlooPair
from tests.unit.trainers.tiny import (
    CONFIG,
    TrainOnce,
    assert_same_run,
    changed,
    dataset,
    differing,
    job,
    results,
    sgd,
    state,
    trial,
)
from trainers.data.datasets import build_dataset
from trainers.data.loaders import TrainStream
from trainers.data.seeding import derive
from trainers.detectors.detector import build_empty
from trainers.distill.adapters.base import Targets, adapter_for
from trainers.distill.head_outputs import Anchors
from trainers.loop.loop import Failed, train, train_together
from trainers.schema import Bckd, Detector, Job, Teacher, TrialSpec, Weights
from trainers.schema.record import Record, read_history
from trainers.schema.schedule import ConstantPolicy, Warmup

BATCH, LEVELS, EPOCHS = 8, 3, 2
CROWDED = dataset(train_images=BATCH, val_images=5, image_size=(96, 96), max_objects=8)
ONE_STEP_EPOCHS = sgd(
    epochs=EPOCHS, batch_size=BATCH, lr=1e-4, policy=ConstantPolicy(kind="constant"), warmup=Warmup(iterations=0)
)


@pytest.fixture(scope="module")
def frozen_norms(teacher: Teacher, tmp_path_factory: pytest.TempPathFactory) -> TrialSpec:
    """Return a BCKD trial whose student keeps its batch norm frozen, as one that starts from ImageNet weights does."""
    student = Detector(config=CONFIG, weights="imagenet")
    start = tmp_path_factory.mktemp("start") / "start.pth"
    weights = build_empty(student, 3, seed=9).state_dict()
    # Scores of a half: mmdet divides the box losses by the workers' mean of the positives' scores, but by 1 at least,
    # which a new detector's scores of 0.01 do not reach. Below 1, N workers have an Nth of one worker's box losses.
    weights["bbox_head.gfl_cls.bias"].zero_()
    torch.save({"state_dict": weights}, start)
    return trial(
        dataset=CROWDED,
        student=student,
        init=Weights(path=str(start)),
        teacher=teacher,
        method=Bckd(kind="bckd"),
        schedule=ONE_STEP_EPOCHS,
    )


@pytest.fixture(scope="module")
def resumable(distilled: TrialSpec) -> TrialSpec:
    """Return a trial with trained batch norm that is not evaluated where it will be interrupted."""
    return changed(distilled, dataset=dataset(val_images=3), schedule=sgd(val_interval=2))


@pytest.fixture(scope="module")
def group(
    frozen_norms: TrialSpec, resumable: TrialSpec, gloo_pair: GlooPair, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Run all that the tests look at in one group of two processes, and return the folder of the trials."""
    folder = tmp_path_factory.mktemp("group")
    jobs = [job(frozen_norms, folder / "frozen"), job(resumable, folder / "whole"), job(resumable, folder / "resumed")]
    jobs.append(job(frozen_norms, folder / "chunked", micro_batch=2))
    jobs.append(job(changed(frozen_norms, schedule=sgd(iterations=0, batch_size=1)), folder / "evaluated"))
    jobs += [
        job(broken(frozen_norms, folder), folder / "broken", "broken"),
        job(frozen_norms, folder / "beside", "beside"),
    ]
    texts = [wanted.model_dump_json() for wanted in jobs]
    assert gloo_pair.run(work, folder, str(folder), texts) == [[], []]
    return folder


def broken(spec: TrialSpec, folder: Path) -> TrialSpec:
    """Return the trial with a student whose boxes are not finite from the first step on."""
    assert spec.init is not None
    weights = state(Path(spec.init.path))
    weights["bbox_head.scales.1.scale"].fill_(float("nan"))
    torch.save({"state_dict": weights}, folder / "broken.pth")
    return changed(spec, init=Weights(path=str(folder / "broken.pth")))


def work(rank: int, folder: str, texts: list[str]) -> list[str]:
    """Be one worker of the group; return the files that appeared in the working directory."""
    here = Path(folder) / f"worker-{rank}"
    here.mkdir()
    os.chdir(here)
    frozen, whole, resumed, chunked, evaluated, *together = (Job.model_validate_json(text) for text in texts)
    run(frozen)
    run(chunked)
    run(evaluated)
    run(whole)
    run(resumed, until=1)
    assert len(run(resumed)) == sgd().epochs
    found = [(name, type(item)) for name, item in train_together(together)]
    assert found == [("broken", Failed), ("beside", Record), ("beside", Record)]
    return sorted(path.name for path in here.iterdir())


def run(wanted: Job, until: int | None = None) -> list[Record]:
    """Train to the end, or walk away after an epoch."""
    records = []
    with contextlib.closing(train([wanted])) as found:  # type: ignore[type-var]
        for _, record in found:
            records.append(record)
            if record.epoch == until:
                break
    return records


def losses(record: Record) -> dict[str, float]:
    return {name: value for name, value in record.metrics.items() if name.startswith("loss/")}


# ------------------------------------------------------------------------------------------------------------- tests


def share_of(spec: TrialSpec, rank: int) -> Anchors:
    """Return how the first step's objects are assigned to the anchors of one worker's images."""
    data = build_dataset(spec.dataset, "train")
    seed = derive(spec.seed, "data")
    stream = TrainStream(data, batch_size=BATCH, seed=seed, rank=rank, world=WORKERS, loader_workers=0)
    student = build_empty(spec.student, 3)
    prepared = student.data_preprocessor(next(stream.batches(0, 1)), True)
    adapter, targets = adapter_for(student), Targets()
    head_outputs = adapter.forward(prepared["inputs"])
    adapter.losses(head_outputs, prepared["data_samples"], targets)
    return adapter.anchors(head_outputs, targets)


def test_the_preconditions_hold(frozen_norms: TrialSpec) -> None:
    shares = [share_of(frozen_norms, rank) for rank in range(WORKERS)]
    for anchors in shares:
        assert anchors.level_A[anchors.positive_A].unique().tolist() == list(range(LEVELS))
    assert shares[0].normaliser != shares[1].normaliser  # neither worker could use its own


def test_two_workers_have_the_losses_of_one(group: Path, train_once: TrainOnce, frozen_norms: TrialSpec) -> None:
    alone, together = read_history(train_once(frozen_norms)), read_history(group / "frozen")
    assert losses(together[0]) == pytest.approx(losses(alone[0]), rel=1e-5)
    assert min(losses(alone[0])[f"loss/{name}"] for name in ("cls", "bbox", "dfl", "bckd_cls", "bckd_loc")) > 0.0


def test_two_workers_make_the_step_of_one(group: Path, train_once: TrainOnce, frozen_norms: TrialSpec) -> None:
    alone, together = read_history(train_once(frozen_norms)), read_history(group / "frozen")
    assert losses(together[1]) == pytest.approx(losses(alone[1]), rel=1e-5)
    assert losses(together[1]) != pytest.approx(losses(together[0]), rel=1e-3)
    one, two = state(train_once(frozen_norms) / "last.pth"), state(group / "frozen" / "last.pth")
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_one_whose_losses_are_not_finite_leaves_all_workers_and_the_other_goes_on(group: Path) -> None:
    assert read_history(group / "broken") == []
    assert_same_run(group / "frozen", group / "beside")


def assert_same_step(directory: Path, whole: Path) -> None:
    """Compare two trainings up to the order of floating-point sums."""
    for found, wanted in zip(read_history(directory), read_history(whole), strict=True):
        assert losses(found) == pytest.approx(losses(wanted), rel=1e-5)
    one, two = state(whole / "last.pth"), state(directory / "last.pth")
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_two_workers_in_chunks_make_the_step_of_one(
    group: Path, train_once: TrainOnce, frozen_norms: TrialSpec
) -> None:
    assert_same_step(group / "chunked", train_once(frozen_norms))


@pytest.mark.parametrize("micro_batch", [3, 4])
def test_one_worker_in_chunks_makes_the_step_of_one(
    micro_batch: int, train_once: TrainOnce, frozen_norms: TrialSpec, tmp_path: Path
) -> None:
    """Chunks of two and four images: each has positives on all levels, which BCKD asks of a chunk."""
    run(job(frozen_norms, tmp_path, micro_batch=micro_batch))
    assert_same_step(tmp_path, train_once(frozen_norms))


def test_a_group_evaluates_a_public_teacher(group: Path) -> None:
    """Its schedule has a batch of one image, which two workers could not share."""
    (record,) = read_history(group / "evaluated")
    assert record.step == 0
    assert "coco/bbox_mAP" in record.metrics


def test_frozen_norms_stay_as_they_were(group: Path, frozen_norms: TrialSpec) -> None:
    assert frozen_norms.init is not None
    moved = differing(state(group / "frozen" / "last.pth"), state(Path(frozen_norms.init.path)))
    assert moved
    assert not [name for name in moved if "running" in name]


def test_two_workers_evaluate_as_one(group: Path, train_once: TrainOnce, frozen_norms: TrialSpec) -> None:
    init = Weights(path=str(group / "frozen" / "last.pth"))
    looked_at = changed(frozen_norms, init=init, schedule=sgd(iterations=0))
    (record,) = read_history(train_once(looked_at))
    together = read_history(group / "frozen")[-1].metrics
    found: dict[str, Any] = {name: value for name, value in record.metrics.items() if name.startswith("coco/")}
    assert {name: together[name] for name in found} == pytest.approx(found, abs=1e-6)
    assert found["coco/bbox_mAP_50"] > 0.0


def test_a_group_resumes_to_the_bit(group: Path) -> None:
    assert results(read_history(group / "resumed")) == results(read_history(group / "whole"))
    assert_same_run(group / "whole", group / "resumed")
    assert "coco/bbox_mAP" not in read_history(group / "whole")[0].metrics
