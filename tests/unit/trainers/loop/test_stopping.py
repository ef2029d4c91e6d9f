"""A training that is asked to stop between two epochs goes on later as if nothing had happened."""

import multiprocessing
import os
import socket
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import torch.distributed as dist

import trainers.loop.stopping as stopping
from tests.unit.trainers.tiny import assert_same_run, changed, dataset, job, sgd, trial
from trainers.loop.loop import train
from trainers.schema import Job, TrialSpec
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


@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_stop_in_an_epoch_loses_nothing(
    step: int, spec: TrialSpec, train_once: Callable[[TrialSpec], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(stopping, "stop_requested", stop_at(step))
    assert len(list(train([job(spec, tmp_path)]))) == step // STEPS_PER_EPOCH
    assert read_status(tmp_path) == "unfinished"
    monkeypatch.undo()
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


@pytest.mark.slow
def test_two_workers_stop_before_the_same_step_and_go_on_to_the_bit(spec: TrialSpec, tmp_path: Path) -> None:
    jobs = [job(spec, tmp_path / name, workers=WORKERS).model_dump_json() for name in ("whole", "stopped")]
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        counts = list(pool.map(work, range(WORKERS), [str(tmp_path)] * WORKERS, [jobs] * WORKERS))
    assert counts == [[2, 1, 2]] * WORKERS
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def work(rank: int, folder: str, texts: list[str]) -> list[int]:
    """Train one trial as a whole and one that only rank 0 is asked to stop; return how many records each call had."""
    if "lo" in (name for _, name in socket.if_nameindex()):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    limit = timedelta(seconds=120)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORKERS, timeout=limit)
    try:
        whole, stopped = (Job.model_validate_json(text) for text in texts)
        stopping.LOOK_EVERY_S = 0.0
        counts = [len(list(train([whole])))]
        real, stopping.stop_requested = stopping.stop_requested, stop_at(4)  # type: ignore[attr-defined]
        counts.append(len(list(train([stopped]))))
        stopping.stop_requested = real  # type: ignore[attr-defined]
        counts.append(len(list(train([stopped]))))
        return counts
    finally:
        dist.destroy_process_group()
