"""Prove that YOLOX's mixtures are functions of (seed, epoch, index), whoever reads them, and end in closing epochs."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.datasets import MultiImageMixDataset

from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.tiny import dataset
from tests.unit.trainers.voc_folder import SOME, write_part, write_voc_folder, xml
from trainers.data import pipelines
from trainers.data.datasets import build_dataset
from trainers.data.loaders import SeededDataset, TrainStream
from trainers.data.pipelines import finishing, loading, mixing, train_pipeline
from trainers.data.seeding import seed_everything
from trainers.schema import ShapesDataset
from trainers.schema.image_pipeline import ChoiceScales, Mosaic, RangeScales

SHAPES = dataset(train_images=6, augmentation="mosaic", mosaic=Mosaic(affine_scale=(0.5, 1.5)))
STEPS = 6  # three epochs of two steps
Image = tuple[int, bytes, bytes]


def stream(spec: Any = SHAPES, **changes: Any) -> TrainStream:
    values = {"batch_size": 4, "seed": 5, "rank": 0, "world": 1, "loader_workers": 0}
    return TrainStream(build_dataset(spec, "train"), **{**values, **changes})


def plain(batches: Any) -> list[list[Image]]:
    return [[image(p, s) for p, s in zip(b["inputs"], b["data_samples"], strict=True)] for b in batches]


def image(pixels: Any, sample: Any) -> Image:
    assert tuple(pixels.shape) == (3, 64, 64)
    boxes = sample.gt_instances.bboxes.tensor
    assert bool((boxes >= 0).all())
    assert bool((boxes <= 64).all())
    return sample.img_id, pixels.numpy().tobytes(), boxes.numpy().tobytes()


@pytest.fixture(scope="module")
def whole() -> list[list[Image]]:
    return plain(stream(closing_from_epoch=2).batches(0, STEPS))


def test_a_mixing_stream_can_start_anywhere(whole: Any) -> None:
    for first in (1, 3, 5):
        assert plain(stream(closing_from_epoch=2).batches(first, STEPS)) == whole[first:]


def test_closing_epochs_show_single_images(whole: Any) -> None:
    open_end = plain(stream().batches(0, STEPS))
    assert open_end[:4] == whole[:4]
    assert all(a != b for a, b in zip(open_end[4:], whole[4:], strict=True))
    data = build_dataset(SHAPES, "train")
    boxes = {data.get_data_info(i)["img_id"]: len(data.get_data_info(i)["instances"]) for i in range(len(data))}
    assert {i: len(b) // 16 for i, _, b in chain(*whole[4:])} == boxes  # of 4 float32 each
    assert {i: len(b) // 16 for i, _, b in chain(*whole[:4])} != boxes


def test_closing_changes_nothing_without_mosaic() -> None:
    flips = dataset(train_images=6)
    assert plain(stream(flips, closing_from_epoch=0).batches(0, 3)) == plain(stream(flips).batches(0, 3))


def test_mosaic_mixes_what_mmdets_wrapper_mixes() -> None:
    """With MixUp off both draw three indices and hand them to the same steps."""
    spec = SHAPES.model_copy(update={"mosaic": Mosaic(affine_scale=(0.5, 1.5), mixup=False)})
    ours = build_dataset(spec, "train")
    theirs = MultiImageMixDataset(ours.dataset, [*mixing(spec), *finishing(spec)])
    for index in range(4):
        seed_everything(index)
        first = ours[index]
        seed_everything(index)
        second = theirs[index]
        assert torch.equal(first["inputs"], second["inputs"])
        boxes = (item["data_samples"].gt_instances.bboxes.tensor for item in (first, second))
        assert torch.equal(*boxes)


def test_mixup_adds_an_image_with_boxes(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path, augmentation="mosaic", mosaic=Mosaic(affine_scale=(1.0, 1.0)))
    write_part(tmp_path, spec.train[0], {"a": xml([]), "b": xml([]), "c": xml(SOME)})
    data = build_dataset(spec, "train")
    assert len(data) == 3  # images without boxes are mixed too
    without = build_dataset(spec.model_copy(update={"mosaic": Mosaic(affine_scale=(1.0, 1.0), mixup=False)}), "train")
    counts = []
    for each in (data, without):
        samples = [SeededDataset(each, 1)[epoch, 0]["data_samples"] for epoch in range(12)]
        counts.append(sum(len(s.gt_instances) + len(s.ignored_instances) > 0 for s in samples))
    assert counts[0] > counts[1]


def test_mosaic_pads_evaluation_to_the_tests_own_square(tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path, sizes=[(64, 48), (48, 64)])
    spec = type(spec).model_validate({**dict(spec), "augmentation": "mosaic", "test_size": (96, 96)})
    for item in (build_dataset(spec, "val")[index] for index in range(2)):
        assert tuple(item["inputs"].shape) == (3, 96, 96)
        assert item["data_samples"].scale_factor == (1.5, 1.5)
    lying = build_dataset(spec, "val")[0]["inputs"]
    assert bool((lying[:, 72:] == 114).all())
    assert not bool((lying[:, :72] == 114).all())


# --------------------------------------------------------------------------------------------- repeats and many sizes


def test_repeated_passes_are_augmented_anew() -> None:
    spec = dataset(train_images=4, repeat=3)
    repeated = stream(spec)
    assert repeated.steps_per_epoch == 3
    seen = list(chain(*plain(repeated.batches(0, 3))))
    assert sorted(i for i, *_ in seen) == sorted(list(range(1, 5)) * 3)
    assert len(set(seen)) > 4  # of at most 8: each image as it is and flipped
    assert len(stream(dataset(train_images=4))._dataset.dataset) == 4


def sizes(spec: Any, times: int) -> set[tuple[int, ...]]:
    data = SeededDataset(build_dataset(spec, "train"), 0)
    found = set()
    for epoch in range(times):
        item = data[epoch, 0]
        sample = item["data_samples"]
        height, width = item["inputs"].shape[-2:]
        found.add((width, height))
        record = data.dataset.get_data_info(0)
        scaled = torch.tensor([i["bbox"] for i in record["instances"]], dtype=torch.float32) * width / record["width"]
        boxes = sample.gt_instances.bboxes.tensor
        if sample.flip:
            boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)
        torch.testing.assert_close(boxes, scaled, rtol=0.02, atol=1.0)
    return found


def test_a_range_of_scales_keeps_the_long_side_as_limit() -> None:
    spec = ShapesDataset(
        kind="shapes", train_images=1, image_size=(160, 96), multi_scale=RangeScales(kind="range", short=(64, 80))
    )
    found = sizes(spec, 40)
    assert {height for _, height in found} <= set(range(64, 81))
    assert len(found) > 8
    assert all(abs(width / height - 160 / 96) < 0.03 for width, height in found)


def test_scales_are_chosen_from_the_list_and_evaluation_keeps_one() -> None:
    scales = ChoiceScales(kind="choice", short=(48, 96))
    spec = ShapesDataset(kind="shapes", train_images=1, image_size=(160, 96), multi_scale=scales)
    assert sizes(spec, 12) == {(80, 48), (160, 96)}
    assert tuple(build_dataset(spec, "val")[0]["inputs"].shape) == (3, 96, 160)


def test_pipelines_of_the_public_recipes() -> None:
    """The steps and their order as mmdet's YOLOX-s configuration has them."""
    from mmengine.config import Config
    from mmengine.utils import get_installed_path

    path = Path(get_installed_path("mmdet")) / ".mim" / "configs" / "yolox" / "yolox_s_8xb8-300e_coco.py"
    theirs = Config.fromfile(path)
    spec = ShapesDataset(kind="shapes", image_size=(640, 640), augmentation="mosaic")
    ours = train_pipeline(spec)
    assert [step["type"] for step in ours[2:]] == [step["type"] for step in theirs.train_pipeline]
    for mine, step in zip([*mixing(spec), *finishing(spec)[:-1]], theirs.train_pipeline, strict=False):
        assert mine == {key: tuple(v) if isinstance(v, list) else v for key, v in step.to_dict().items()}
    assert pipelines.test_pipeline(spec)[1:3] == [step.to_dict() for step in theirs.test_pipeline[1:3]]
    assert [step["type"] for step in loading(spec)] == ["StillhouseDrawShapes", "LoadAnnotations"]
