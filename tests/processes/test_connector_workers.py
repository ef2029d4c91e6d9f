"""Prove that two workers go on to the bit with what terms train beside a student."""

from pathlib import Path

import pytest

from tests.processes.gloo import WORKERS, GlooPair
from tests.processes.test_resume_workers import work
from tests.unit.trainers.loop.test_connectors import specs  # noqa: F401  a fixture
from tests.unit.trainers.state.test_resume import SHORT
from tests.unit.trainers.tiny import assert_same_run, changed, dataset, job
from trainers.schema import TrialSpec
from trainers.schema.record import read_history


@pytest.mark.slow
def test_two_workers_go_on_to_the_bit(
    specs: dict[str, TrialSpec],  # noqa: F811
    gloo_pair: GlooPair,
    tmp_path: Path,
) -> None:
    """Also with a connector that rests in the first epoch, and a weight that follows the mean over workers."""
    spec = changed(specs["late"], dataset=dataset(train_images=12, val_images=3), schedule=SHORT)
    names = ("whole", "killed", "shrunk")
    jobs = [job(spec, tmp_path / name, workers=WORKERS, checkpoint_steps=1).model_dump_json() for name in names]
    gloo_pair.run(work, tmp_path, jobs)
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    metrics = [record.metrics for record in read_history(tmp_path / "whole")]
    assert metrics[0]["grad_share/pkd"] == pytest.approx(0.3, abs=0.1)  # of the first worker's images alone
    assert metrics[1]["loss/cwd"] > 0.0
