"""Two workers stop before the same step when only one of them is asked to, and go on later to the bit."""

from pathlib import Path

import pytest

import trainers.loop.stopping as stopping
from tests.processes.gloo import WORKERS, GlooPair
from tests.unit.trainers.loop.test_stopping import spec, stop_at  # noqa: F401  a fixture
from tests.unit.trainers.tiny import assert_same_run, job
from trainers.loop.loop import train
from trainers.schema import Job, TrialSpec


@pytest.mark.slow
def test_two_workers_stop_before_the_same_step_and_go_on_to_the_bit(
    spec: TrialSpec,  # noqa: F811
    gloo_pair: GlooPair,
    tmp_path: Path,
) -> None:
    jobs = [job(spec, tmp_path / name, workers=WORKERS).model_dump_json() for name in ("whole", "stopped")]
    assert gloo_pair.run(work, tmp_path, jobs) == [[2, 1, 2]] * WORKERS
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def work(rank: int, texts: list[str]) -> list[int]:
    """Train one trial as a whole and one that only rank 0 is asked to stop; return how many records each call had."""
    whole, stopped = (Job.model_validate_json(text) for text in texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stopping, "LOOK_EVERY_S", 0.0)
        counts = [len(list(train([whole])))]
        with patch.context() as asked:
            asked.setattr(stopping, "stop_requested", stop_at(4))  # seen before step 4, agreed before step 5
            counts.append(len(list(train([stopped]))))
        counts.append(len(list(train([stopped]))))
    return counts
