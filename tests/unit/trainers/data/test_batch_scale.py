"""Prove that batch sizes are functions of (seed, step) and that boxes follow the pixels."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmdet.models.data_preprocessors import BatchSyncRandomResize
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from trainers.data.batch_scale import batch_size_at, resize_batch, resize_inputs, scaled_size
from trainers.schema.image_pipeline import BatchScales

TINY = BatchScales()  # YOLOX-tiny: 320 to 640 in steps of 32, every 10 steps


@given(st.integers(0, 2**32 - 1), st.integers(0, 10**9))
def test_the_size_is_one_for_each_run_of_steps(seed: int, run: int) -> None:
    found = {batch_size_at(TINY, seed, 10 * run + step) for step in range(10)}
    assert len(found) == 1
    assert found <= set(range(320, 641, 32))


def test_all_sizes_come_about_equally_often() -> None:
    found = [batch_size_at(TINY, 0, 10 * run) for run in range(2200)]
    assert set(found) == set(range(320, 641, 32))
    assert all(150 < found.count(size) < 250 for size in set(found))  # 200 expected, standard deviation 13.5
    assert found != [batch_size_at(TINY, 1, 10 * run) for run in range(2200)]


@pytest.mark.parametrize(
    ("size", "short", "scaled"),
    [
        ((640, 640), 416, (416, 416)),
        ((640, 960), 320, (320, 480)),
        ((960, 640), 320, (480, 320)),
        ((800, 1344), 480, (480, 800)),
    ],
)
def test_the_other_side_follows_in_multiples(size: Any, short: int, scaled: Any) -> None:
    assert scaled_size(size, short, 32) == scaled


def batch() -> tuple[torch.Tensor, list[DetDataSample]]:
    inputs = torch.arange(2 * 3 * 64 * 64, dtype=torch.float32).reshape(2, 3, 64, 64)
    samples = []
    for number in range(2):
        sample = DetDataSample(
            metainfo={"img_shape": (60, 50), "pad_shape": (64, 64), "batch_input_shape": (64, 64), "img_id": number}
        )
        sample.gt_instances = InstanceData(bboxes=torch.tensor([[1.0, 2.0, 30.0, 40.0]]), labels=torch.tensor([number]))
        sample.ignored_instances = InstanceData(bboxes=torch.empty(0, 4), labels=torch.empty(0, dtype=torch.long))
        samples.append(sample)
    return inputs, samples


@pytest.mark.parametrize("size", [(32, 32), (96, 96), (96, 64)])
def test_mmdets_resizing_agrees(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    from mmdet.models.data_preprocessors import data_preprocessor

    class Hub:
        @staticmethod
        def get_current_instance() -> Any:
            return Hub

        @staticmethod
        def get_info(_: str) -> int:
            return 0

    monkeypatch.setattr(data_preprocessor, "MessageHub", Hub)
    reference = BatchSyncRandomResize((32, 96), interval=10)
    reference._input_size = size
    theirs, their_samples = reference(*batch())
    inputs, samples = batch()
    ours = resize_batch(inputs, samples, size)
    assert torch.equal(ours, theirs)
    assert torch.equal(resize_inputs(inputs, size), theirs)
    for mine, other in zip(samples, their_samples, strict=True):
        assert torch.equal(mine.gt_instances.bboxes, other.gt_instances.bboxes)
        assert mine.metainfo == other.metainfo


def test_the_own_size_changes_nothing() -> None:
    inputs, samples = batch()
    assert resize_batch(inputs, samples, (64, 64)) is inputs
    assert samples[0].gt_instances.bboxes.tolist() == [[1.0, 2.0, 30.0, 40.0]]
