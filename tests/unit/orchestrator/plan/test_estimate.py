"""A trial's length is counted from its data, and its seconds from its own first epochs."""

import json
from pathlib import Path

import pytest

from orchestrator.plan.estimate import Estimate, estimate
from orchestrator.plan.training_images import training_images
from tests.unit.orchestrator.coco_data import CLASSES, write_coco
from tests.unit.trainers.voc_folder import SOME, write_part, write_voc_folder, xml
from trainers.data.datasets import build_dataset
from trainers.schema import (
    CocoDataset,
    CocoSplit,
    DatasetSpec,
    Detector,
    NoDistillation,
    Schedule,
    ShapesDataset,
    TrialSpec,
    VocDataset,
    VocPart,
)
from trainers.schema.class_names import COCO80
from trainers.schema.record import HISTORY, Record, to_lines

NOWHERE = Path("nowhere")


def trial(dataset: DatasetSpec, **schedule: object) -> TrialSpec:
    return TrialSpec(
        dataset=dataset,
        student=Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py"),
        method=NoDistillation(kind="none"),
        schedule=Schedule(**schedule),
    )


def shapes(images: int, **schedule: object) -> TrialSpec:
    return trial(ShapesDataset(kind="shapes", train_images=images), **schedule)


def coco(root: Path, classes: object = CLASSES, **schedule: object) -> TrialSpec:
    split = CocoSplit(annotations="train.json", images="images")
    return trial(CocoDataset(kind="coco", root=str(root), train=split, classes=classes), **schedule)


@pytest.mark.parametrize(
    ("images", "batch", "epochs", "steps"), [(160, 8, 20, 400), (161, 8, 12, 252), (1, 16, 12, 12), (16, 16, 12, 12)]
)
def test_an_epoch_sees_every_image_once_at_least(images, batch, epochs, steps):
    assert estimate(shapes(images, batch_size=batch, epochs=epochs), NOWHERE) == Estimate(epochs, steps, None)


@pytest.mark.parametrize(("iterations", "steps"), [(0, 0), (7, 7), (120, 120), (121, 120)])
def test_iterations_cut_a_schedule_and_never_lengthen_it(iterations, steps):
    assert estimate(shapes(160, batch_size=16, epochs=12, iterations=iterations), NOWHERE).steps == steps


def test_coco_images_without_boxes_are_not_trained_on(tmp_path):
    write_coco(tmp_path, boxes=[(1, 2), (), (2, 2, 2), (), (1,)])
    assert estimate(coco(tmp_path, batch_size=2, epochs=12), NOWHERE).steps == 12 * 2


def test_boxes_of_classes_that_the_study_leaves_out_do_not_count(tmp_path):
    write_coco(tmp_path, boxes=[(1,), (2,), (1, 2), (2,)])
    assert estimate(coco(tmp_path, classes=("cat",), batch_size=1, epochs=12), NOWHERE).steps == 12 * 2


def test_small_images_are_not_trained_on(tmp_path):
    write_coco(tmp_path, boxes=[(1,), (2,), (1, 2)])
    content = json.loads((tmp_path / "train.json").read_text())
    content["images"][1]["height"] = 31
    (tmp_path / "train.json").write_text(json.dumps(content))
    assert training_images(coco(tmp_path).dataset) == 2


def test_a_split_without_an_image_to_learn_is_no_evaluation(tmp_path):
    write_coco(tmp_path, boxes=[(), ()])
    assert training_images(coco(tmp_path).dataset) is None
    assert estimate(coco(tmp_path, batch_size=2, epochs=12), NOWHERE) == Estimate(12, None, None)
    assert estimate(coco(tmp_path, batch_size=2, epochs=12, iterations=0), NOWHERE).steps == 0


def test_each_repeat_is_a_pass(tmp_path):
    write_coco(tmp_path, boxes=[(1,), (2,), ()])
    for dataset, images in ((coco(tmp_path).dataset, 2), (shapes(5).dataset, 5)):
        repeated = dataset.model_copy(update={"repeat": 3})
        assert training_images(repeated) == 3 * images
        assert estimate(trial(repeated, batch_size=4, epochs=12), NOWHERE).steps == 12 * -(-3 * images // 4)


def test_mosaic_trains_on_images_without_boxes_too(tmp_path):
    write_coco(tmp_path, boxes=[(1,), (), ()])
    mosaic = coco(tmp_path).dataset.model_copy(update={"augmentation": "mosaic"})
    assert training_images(mosaic) == 3


def voc(root: Path) -> VocDataset:
    spec = write_voc_folder(root)
    elsewhere = VocPart(folder="more", set="train")
    texts = {
        "a": xml(SOME),
        "b": xml([("bird", (1, 1, 9, 9), 0)]),  # no class of the study
        "c": xml(SOME, size=(31, 48)),
        "d": xml([("cat", (70, 1, 90, 9), 0)]),  # outside the image
    }
    write_part(root, elsewhere, texts)
    return spec.model_copy(update={"train": (*spec.train, elsewhere)})


@pytest.mark.parametrize(("augmentation", "images"), [("flip", 4 + 1), ("mosaic", 4 + 3)])
def test_voc_images_are_counted_as_training_counts_them(tmp_path, augmentation, images):
    dataset = voc(tmp_path).model_copy(update={"augmentation": augmentation})
    assert training_images(dataset) == images == len(build_dataset(dataset, "train"))


@pytest.mark.parametrize("text", ["", "<html/>", xml([("cat", ("nan", 1, 2, 3), 0)]), xml(SOME, size=None)])
def test_nothing_is_known_of_voc_images_when_one_cannot_be_read(tmp_path, text):
    dataset = voc(tmp_path)
    (tmp_path / "more" / "Annotations" / "a.xml").write_text(text)
    assert training_images(dataset) is None


def test_all_categories_count_for_coco80(tmp_path):
    write_coco(tmp_path, boxes=[(1,), (2,), ()], classes=COCO80)
    assert estimate(coco(tmp_path, classes="coco80", batch_size=1, epochs=12), NOWHERE).steps == 12 * 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'{"categories": [], "annotations": 3}',
        b'{"categories": [{"id": 1}], "annotations": []}',
        b'{"categories": [], "annotations": [{"category_id": [1]}]}',
        b"[" * 100_000,
    ],
    ids=lambda content: content[:30].decode(errors="replace"),
)
def test_nothing_is_known_of_a_broken_file(tmp_path, content):
    (tmp_path / "train.json").write_bytes(content)
    assert estimate(coco(tmp_path), NOWHERE) == Estimate(12, None, None)


def test_nothing_is_known_of_a_missing_file_except_a_limit_in_the_study(tmp_path):
    assert estimate(coco(tmp_path), NOWHERE).steps is None
    assert estimate(coco(tmp_path, iterations=2), NOWHERE).steps == 2


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    write_coco(tmp_path, boxes=[(1,)])
    monkeypatch.setattr("orchestrator.dataset_check.readings.READABLE", (tmp_path / "train.json").stat().st_size - 1)
    assert estimate(coco(tmp_path), NOWHERE).steps is None


def test_seconds_follow_from_the_epochs_that_were_measured(tmp_path):
    assert estimate(shapes(160, batch_size=16, epochs=12), tmp_path).seconds is None
    timing = [{"time/train_s": 2.0, "time/evaluate_s": 1.0}, {"time/train_s": 4.0, "time/evaluate_s": 1.0}]
    history = [Record(epoch, 10 * epoch, {}, times) for epoch, times in enumerate(timing, start=1)]
    (tmp_path / HISTORY).write_text(to_lines(history))
    assert estimate(shapes(160, batch_size=16, epochs=12), tmp_path).seconds == pytest.approx(8.0 / 20 * 120)
