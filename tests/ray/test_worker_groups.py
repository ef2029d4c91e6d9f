"""Real Ray Train worker groups of two: cohorts one after the other, out of reach, and resources that come back."""

import os
import threading
import time
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.study.load import load_study
from tests.ray.listeners import LOOPBACK, family, listened_at
from tests.ray.test_sweep import Events
from trainers.schema.record import read_history, read_status

pytestmark = pytest.mark.usefixtures("local_ray")

STUDY = """
name: group
dataset: {kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: none}
schedule: {epochs: 2, batch_size: 4, policy: {kind: constant}}
search: {space: {schedule.lr: [0.001, 0.002, 0.003], schedule.epochs: [2]}, cohort: 2}
scaling: {workers: 2}
"""


def test_a_group_serves_cohorts_until_there_are_no_more_and_frees_its_cpus(tmp_path: Path) -> None:
    import ray

    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials

    (tmp_path / "study.yaml").write_text(STUDY)
    plan = make_plan(load_study(tmp_path / "study.yaml", []), Store(tmp_path / "store"))
    sweep = threading.Thread(target=run_trials, args=(Sweep(plan), plan.students, [Events()], tmp_path / "tune"))
    sweep.start()
    listened = listened_while(sweep, plan.students[0].directory)
    sweep.join()
    assert len(listened) > 10  # of Ray's processes, and of two workers: the rendezvous, and gloo's connections
    assert set(listened) <= LOOPBACK
    assert [read_status(trial.directory) for trial in plan.students] == ["finished"] * 3
    for trial in plan.students:
        assert [record.epoch for record in read_history(trial.directory)] == [1, 2]
    freed = time.monotonic()
    while ray.available_resources().get("CPU", 0) < 2:
        assert time.monotonic() < freed + 2
        time.sleep(0.05)


def listened_while(sweep: threading.Thread, directory: Path) -> list[str]:
    """Return where this process's family listens while the trial trains."""
    while sweep.is_alive() and not read_history(directory):
        time.sleep(0.05)
    return listened_at(family(os.getpid()))
