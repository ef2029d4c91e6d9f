"""A real Ray Train worker group, asked to stop: nothing more is trained, and its resources come back."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from trainers.spec import Detector, Job, NoDistillation, Placement, Schedule, ShapesDataset, TrialSpec
from trainers.spec.record import read_history, read_status
from trainers.spec.schedule import ConstantPolicy
from trainers.spec.stop import request_stop

ROOT = Path(__file__).resolve().parents[2]
STUDENT = Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth=18, width=0.125, weights="random")


@pytest.fixture(scope="module", autouse=True)
def local_ray() -> Iterator[None]:
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()
    os.environ.pop("PYTHONPATH")
    if before is not None:
        os.environ["PYTHONPATH"] = before


def test_a_group_that_is_asked_to_stop_trains_no_more_and_frees_its_cpus(tmp_path: Path) -> None:
    from orchestrator.trial.group import worker_group_records

    trial = TrialSpec(
        dataset=ShapesDataset(kind="shapes", train_images=8, val_images=4, image_size=(64, 64)),
        student=STUDENT,
        method=NoDistillation(kind="none"),
        schedule=Schedule(epochs=50, batch_size=4, policy=ConstantPolicy(kind="constant")),
    )
    records = worker_group_records(
        Job(trial=trial, trial_id="group", directory=str(tmp_path / "trial"), placement=Placement(workers=2))
    )
    first, second = next(records), next(records)
    assert (first.epoch, second.epoch) == (1, 2)
    assert ray.available_resources().get("CPU", 0) == 0
    request_stop(tmp_path / "trial")
    assert list(records) == []
    freed = time.monotonic()
    while ray.available_resources().get("CPU", 0) < 2:
        assert time.monotonic() < freed + 2
        time.sleep(0.05)
    assert [record.epoch for record in read_history(tmp_path / "trial")] == [1, 2]
    assert read_status(tmp_path / "trial") == "unfinished"
