"""Loader processes give what the training process itself would load."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.data.test_data import (
    bare,
    plain,
    stream,
    whole,  # noqa: F401  a fixture
)
from tests.unit.trainers.loop.test_side_by_side import jobs_of, specs  # noqa: F401  a fixture
from tests.unit.trainers.pids import Pids, wait_for_end
from tests.unit.trainers.tiny import TrainOnce, assert_same_run
from trainers.data import loaders
from trainers.data.datasets import build_dataset
from trainers.data.loaders import (
    EvaluationStream,
    evaluation_batches,
)
from trainers.errors import TrialError
from trainers.loop.loop import train_together
from trainers.schema import TrialSpec


def test_a_loader_process_gives_the_same_pixels(whole: Any) -> None:  # noqa: F811
    loaded = plain(stream(loader_workers=1).batches(1, 4))
    assert loaded == whole[1:4]


def test_loader_processes_give_the_same_evaluation_batches_each_time_and_the_same_errors(tmp_path: Path) -> None:
    data = build_dataset(write_coco_folder(tmp_path, sizes=[(64, 48)] * 7), "val")
    wanted = bare(evaluation_batches(data, rank=1, world=2, batch_size=1))
    stream = EvaluationStream(data, rank=1, world=2, loader_workers=2, batch_size=1)
    assert bare(stream) == wanted
    assert next(iter(stream))  # an evaluation that is cut off
    assert bare(stream) == wanted
    path = Path(data.get_data_info(3)["img_path"])
    path.write_bytes(b"")
    messages = []
    for batches in (stream, evaluation_batches(data, rank=1, world=2, batch_size=1)):
        with pytest.raises(TrialError) as caught:
            list(batches)
        messages.append(str(caught.value))
    stream.close()
    assert messages[0] == messages[1]
    assert path.name in messages[0]


def test_loader_processes_stay_between_evaluations_and_end_with_the_stream() -> None:
    stream = EvaluationStream(Pids(8), rank=0, world=1, loader_workers=2, batch_size=1)
    first, second = ({pid for batch in stream for pid in batch["pid"]} for _ in range(2))
    assert len(first) == 2
    assert first == second
    assert os.getpid() not in first
    stream.close()
    wait_for_end(first)
    with pytest.raises(RuntimeError, match="closed"):
        iter(stream)


@pytest.mark.slow
def test_students_that_share_loader_processes_equal_their_solo_runs(
    specs: dict[str, TrialSpec],  # noqa: F811
    train_once: TrainOnce,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The processes read the validation images for one student after the other, and end with the cohort."""
    monkeypatch.setattr(loaders, "WORTH", 1)
    list(train_together(jobs_of(specs, tmp_path, loader_workers=1)))
    for name, spec in specs.items():
        assert_same_run(tmp_path / name, train_once(spec))
    assert multiprocessing.active_children() == []
