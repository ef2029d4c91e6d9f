"""Prove that the data stream is a function of (seed, step), whoever reads it and wherever it starts."""

import json
import os
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.pids import Pids
from tests.unit.trainers.tiny import dataset
from trainers.data.datasets import build_dataset
from trainers.data.loaders import (
    EvaluationStream,
    TrainStream,
    epoch_batches,
    evaluation_batches,
    evaluation_loaders,
    orientations,
)
from trainers.errors import TrialError
from trainers.schema import CocoDataset, ShapesDataset

BATCH = 4
STEPS = 6  # of two images more than a whole number of batches: three epochs of two steps
SHAPES = dataset(train_images=6, image_size=(96, 64))

wide_images = st.lists(st.booleans(), min_size=1, max_size=60).map(lambda flags: np.array(flags, dtype=bool))
batch_sizes = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)
epochs = st.integers(0, 1000)


# ------------------------------------------------------------------------------------------------ epochs as batches


@given(wide_images, batch_sizes, seeds, epochs)
def test_each_image_comes_and_each_batch_is_full(
    wide: NDArray[np.bool_], batch_size: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(wide, batch_size, seed, epoch)
    assert batches.dtype == np.int64
    assert batches.shape == (-(-len(wide) // batch_size), batch_size)
    assert set(batches.flatten().tolist()) == set(range(len(wide)))


@given(wide_images, batch_sizes, seeds, epochs)
def test_orientations_meet_in_the_left_over_only(
    wide: NDArray[np.bool_], batch_size: int, seed: int, epoch: int
) -> None:
    oriented = wide[epoch_batches(wide, batch_size, seed, epoch)]
    pure = int((oriented.all(axis=1) | ~oriented.any(axis=1)).sum())
    assert pure >= int(wide.sum()) // batch_size + int((~wide).sum()) // batch_size
    assert len(oriented) - pure <= 2


@given(wide_images, batch_sizes, seeds, epochs)
def test_batches_are_a_function_of_seed_and_epoch(
    wide: NDArray[np.bool_], batch_size: int, seed: int, epoch: int
) -> None:
    first = epoch_batches(wide, batch_size, seed, epoch)
    assert np.array_equal(first, epoch_batches(wide, batch_size, seed, epoch))


def test_other_seeds_and_epochs_give_other_orders() -> None:
    wide = np.ones(64, dtype=bool)
    orders = {epoch_batches(wide, 4, seed, epoch).tobytes() for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


# ------------------------------------------------------------------------------------------------------ the stream


def stream(spec: ShapesDataset | CocoDataset = SHAPES, **changes: Any) -> TrainStream:
    values = {"batch_size": BATCH, "seed": 5, "rank": 0, "world": 1, "loader_workers": 0}
    return TrainStream(build_dataset(spec, "train"), **{**values, **changes})


def plain(batches: Any) -> list[list[tuple[int, bool, bytes, list[Any]]]]:
    """Return image id, flip, pixels and boxes of every image of every batch."""
    return [
        [
            (sample.img_id, sample.flip, pixels.numpy().tobytes(), sample.gt_instances.bboxes.tensor.tolist())
            for pixels, sample in zip(batch["inputs"], batch["data_samples"], strict=True)
        ]
        for batch in batches
    ]


@pytest.fixture(scope="module")
def whole() -> list[list[tuple[int, bool, bytes, list[Any]]]]:
    return plain(stream().batches(0, STEPS))


def test_a_stream_started_late_equals_the_tail(whole: Any) -> None:
    assert {flip for batch in whole for _, flip, _, _ in batch} == {True, False}
    assert len({tuple(image for image, *_ in batch) for batch in whole}) == STEPS
    for first in (1, 2, 5):
        assert plain(stream().batches(first, STEPS)) == whole[first:]
    assert plain(stream().batches(2, 4)) == whole[2:4]


def test_an_image_is_augmented_anew_each_epoch(whole: Any) -> None:
    flips: dict[int, set[bool]] = {}
    for batch in whole:
        for image, flip, *_ in batch:
            flips.setdefault(image, set()).add(flip)
    assert sum(len(seen) == 2 for seen in flips.values()) >= 2


def test_workers_shares_together_are_the_global_batch(whole: Any) -> None:
    for world in (2, 4):
        shares = [plain(stream(rank=rank, world=world).batches(0, STEPS)) for rank in range(world)]
        assert [[*chain(*parts)] for parts in zip(*shares, strict=True)] == whole


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    with pytest.raises(TrialError, match="4 images cannot be shared equally among 3 workers"):
        list(stream(world=3).batches(0, 1))


def test_an_evaluation_has_no_batches_to_share() -> None:
    """Public teachers are evaluated with a batch of one image, by any number of workers."""
    assert list(stream(world=3).batches(0, 0)) == []


def test_no_steps_give_no_batches() -> None:
    assert list(stream().batches(3, 3)) == []


# ------------------------------------------------------------------------------------------------------ evaluation


def test_workers_evaluate_every_image_once() -> None:
    data = build_dataset(dataset(val_images=11), "val")
    shares = [
        [
            sample.img_id
            for batch in evaluation_batches(data, rank=rank, world=3, batch_size=2)
            for sample in batch["data_samples"]
        ]
        for rank in range(3)
    ]
    assert sorted(chain(*shares)) == list(range(1, 12))
    assert [len(share) for share in shares] == [4, 4, 3]


def test_images_of_different_size_do_not_share_an_evaluation_batch(tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path, sizes=[(64, 48), (64, 48), (48, 64), (64, 48)])
    batches = list(evaluation_batches(build_dataset(spec, "val"), rank=0, world=1))
    assert [[sample.ori_shape for sample in batch["data_samples"]] for batch in batches] == [
        [(48, 64), (48, 64)],
        [(64, 48)],
        [(48, 64)],
    ]


def bare(batches: Any) -> list[list[tuple[int, str, bytes]]]:
    """Return image id, what is known of the image, and pixels of every image of every batch."""
    return [
        [
            (sample.img_id, str(sorted(sample.metainfo.items())), pixels.numpy().tobytes())
            for pixels, sample in zip(batch["inputs"], batch["data_samples"], strict=True)
        ]
        for batch in batches
    ]


def test_without_loader_processes_this_one_reads() -> None:
    stream = EvaluationStream(Pids(3), rank=0, world=1, loader_workers=0)
    assert {pid for batch in stream for pid in batch["pid"]} == {os.getpid()}


def test_reading_for_an_evaluation_draws_nothing_from_the_generators_of_training() -> None:
    data = build_dataset(dataset(val_images=3), "val")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    list(EvaluationStream(data, rank=0, world=1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("images", "loader_workers", "found"), [(5000, 0, 0), (5000, 1, 1), (5000, 8, 2), (87, 8, 0), (625, 4, 2)]
)
def test_evaluation_has_loader_processes_where_they_save_more_than_they_cost(
    images: int, loader_workers: int, found: int
) -> None:
    assert evaluation_loaders(images, loader_workers) == found


# ------------------------------------------------------------------------------------------------- the shapes data


def test_shapes_are_a_function_of_seed_split_and_index() -> None:
    def pixels(split: str, **changes: Any) -> list[bytes]:
        data = build_dataset(dataset(flip=0.0, **changes), split)
        return [data[index]["inputs"].numpy().tobytes() for index in range(4)]

    first = pixels("train")
    assert first == pixels("train", train_images=30)
    others = [*pixels("val"), *pixels("train", seed=1)]
    assert len({*first, *others}) == 12


def test_shapes_fill_their_boxes() -> None:
    data = build_dataset(dataset(val_images=12, classes=("square",), max_objects=1), "val")
    for index in range(len(data)):
        (x1, y1, x2, y2) = data.get_data_info(index)["instances"][0]["bbox"]
        image = data[index]["inputs"].float()
        inside = image[:, y1:y2, x1:x2].mean(dim=(1, 2))
        rim = torch.cat([image[:, y1:y2, x1], image[:, y1:y2, x2 - 1], image[:, y1, x1:x2]], dim=1).mean(dim=1)
        torch.testing.assert_close(rim, inside, rtol=0.0, atol=12.0)


# ------------------------------------------------------------------------------------------------------- COCO files


def test_a_coco_folder_gives_the_pixels_and_boxes_that_were_written(tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path, sizes=[(64, 48), (48, 64)])
    data = build_dataset(spec, "val")
    for index, (width, height) in enumerate([(64, 48), (48, 64)]):
        written = cv2.imread(str(tmp_path / "images" / f"{index}.png"))
        assert np.array_equal(data[index]["inputs"].permute(1, 2, 0).numpy(), written)
        assert data.get_data_info(index)["instances"][0]["bbox"] == [4.0, 6.0, width / 2, height / 2]
    assert orientations(data).tolist() == [True, False]


def damage(folder: Path, change: Any) -> None:
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "annotations.json").unlink(), r"annotations.json: cannot be read .*No such file"),
        (lambda folder: (folder / "annotations.json").write_text('{"images": ['), "cannot be read as JSON"),
        (lambda folder: (folder / "annotations.json").write_text(""), "annotations.json: is empty"),
        (lambda folder: (folder / "annotations.json").write_text("[]"), "annotations.json: holds .* of an object"),
        (lambda folder: damage(folder, lambda c: {"info": {}}), "annotations.json: has no list of images"),
        (
            lambda folder: damage(folder, lambda c: {**c, "categories": c["categories"][:1]}),
            "annotations.json: categories: the study's class 'dog' is not among them",
        ),
        (lambda folder: damage(folder, lambda c: {**c, "annotations": []}), "no image is left"),
        (lambda folder: damage(folder, lambda c: {**c, "images": [], "annotations": []}), "no image is left"),
    ],
    ids=["absent", "cut-off", "empty", "a-list", "no-images", "fewer-classes", "no-boxes", "no-image"],
)
def test_annotations_that_cannot_be_used_are_told_in_one_sentence(spoil: Any, message: str, tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path, sizes=[(64, 48), (48, 64)])
    spoil(tmp_path)
    with pytest.raises(TrialError, match=message) as caught:
        build_dataset(spec, "train")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["absent", "damaged"])
def test_an_image_that_cannot_be_read_is_named(how: str, tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path, sizes=[(64, 48)] * BATCH)
    image = tmp_path / "images" / "2.png"
    image.unlink() if how == "absent" else image.write_bytes(b"no image")
    with pytest.raises(TrialError, match=r"images/2\.png"):
        list(stream(spec).batches(0, 1))
    with pytest.raises(TrialError, match=r"images/2\.png"):
        list(evaluation_batches(build_dataset(spec, "val"), rank=0, world=1))
