"""What training leaves out is what mmdet leaves out, but for what is wrong there; and each trial's record says so."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from mmdet.datasets import CocoDataset as TheirCoco

from orchestrator.plan.training_images import training_images
from tests.benchmarks.coco_annotations import Extent, write_data_set
from tests.unit.trainers.coco_content import CLASSES, Content, boxes, content, write
from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.tiny import job, sgd, trial
from tests.unit.trainers.voc_folder import SOME, write_part, write_voc_folder, xml
from trainers.data.datasets import build_dataset
from trainers.errors import TrialError
from trainers.evaluation.evaluate import ground_truth
from trainers.loop.loop import train_alone
from trainers.schema import VocPart, class_names
from trainers.schema.schedule import ConstantPolicy


@pytest.fixture(autouse=True)
def _no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gc.collect", lambda: 0)  # mmengine's, a third of a second for each dataset


def odd(seed: int) -> Content:
    """Return a file with all that mmdet leaves out: images in any order, some small, boxes of all kinds."""
    draw = random.Random(seed)
    found = content(seed, images=14)
    for image in draw.sample(found["images"], 3):
        image["height"] = draw.choice([31, 32, 12])
    for entry in draw.sample(found["annotations"], 8):
        entry["bbox"] = draw.choice([[-50, 5, 20, 20], [3, 3, 0.5, 9], [3, 3, 9, 0], [190, 140, 50, 50], [3, 3, 1, 1]])
    for what in ("images", "annotations"):
        draw.shuffle(found[what])
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mosaic", [False, True])
def test_images_and_boxes_are_mmdets_own(seed: int, mosaic: bool, tmp_path: Path) -> None:
    look = {"augmentation": "mosaic"} if mosaic else {}
    ours = build_dataset(write(tmp_path, odd(seed), **look), "train")
    theirs = TheirCoco(
        data_root=str(tmp_path),
        ann_file="train.json",
        data_prefix={"img": "."},
        metainfo={"classes": CLASSES},
        filter_cfg={"filter_empty_gt": not mosaic, "min_size": 32},
        pipeline=[],
    )
    ours = getattr(ours, "dataset", ours)
    assert boxes(ours) == boxes(theirs)
    for key in ("img_id", "width", "height"):
        assert [ours.get_data_info(n)[key] for n in range(len(ours))] == [
            theirs.get_data_info(n)[key] for n in range(len(theirs))
        ]


def test_the_benchmarks_data_are_read_as_by_mmdet(tmp_path: Path) -> None:
    spec = write_data_set(tmp_path / "data", Extent(images=60, boxes=400, evaluated=5, classes=80))
    ours = build_dataset(spec, "train")
    theirs = TheirCoco(
        data_root=spec.root,
        ann_file="train.json",
        data_prefix={"img": "train"},
        metainfo={"classes": class_names(spec)},
        filter_cfg={"filter_empty_gt": True, "min_size": 32},
        pipeline=[],
    )
    assert ours.usage.boxes == 400
    assert boxes(ours) == boxes(theirs)


@pytest.mark.parametrize("area", [0, -1, None, "12", [3], float("nan"), False], ids=repr)
def test_an_area_that_is_none_follows_from_the_box(area: Any, tmp_path: Path) -> None:
    found = content()
    for entry in found["annotations"]:
        entry["area"] = area
        if area is None:
            entry.pop("area")
    spec = write(tmp_path / "odd", found)
    data = build_dataset(spec, "train")
    assert boxes(data) == boxes(build_dataset(write(tmp_path / "plain", content()), "train"))
    mine = sum(entry["category_id"] <= len(CLASSES) for entry in found["annotations"])
    assert data.usage.mended == {"annotations without area": mine}
    truth = ground_truth(build_dataset(spec, "val"))["annotations"]
    assert [entry["area"] for entry in truth] == [entry["bbox"][2] * entry["bbox"][3] for entry in truth]


def test_an_area_that_is_given_stays(tmp_path: Path) -> None:
    found = content()
    truth = ground_truth(build_dataset(write(tmp_path, found), "val"))["annotations"]
    wanted = [entry for entry in found["annotations"] if entry["category_id"] <= len(CLASSES)]
    assert [(entry["bbox"], entry["area"]) for entry in truth] == [(entry["bbox"], entry["area"]) for entry in wanted]


@pytest.mark.parametrize("flag", ["ignore", "iscrowd"])
@pytest.mark.parametrize("value", [1, True, 1.0])
def test_what_is_to_be_ignored_is_neither_learned_nor_missed(flag: str, value: Any, tmp_path: Path) -> None:
    found = content()
    for entry in found["annotations"]:
        entry["iscrowd"] = 0
    mine = [entry for entry in found["annotations"] if entry["category_id"] == 1]
    mine[0][flag] = value
    spec = write(tmp_path, found)
    train, val = build_dataset(spec, "train"), build_dataset(spec, "val")
    assert train.usage.ignored == val.usage.ignored == 1
    assert sum(item[-1] for image in boxes(train) for item in image) == 1
    assert [entry["bbox"] for entry in ground_truth(val)["annotations"] if entry["iscrowd"]] == [mine[0]["bbox"]]


@pytest.mark.parametrize("value", [None, "absent"])
def test_a_flag_that_is_absent_means_no(value: Any, tmp_path: Path) -> None:
    found = content()
    for entry in found["annotations"]:
        entry.update(iscrowd=None, ignore=None)
        if value == "absent":
            del entry["iscrowd"], entry["ignore"]
    assert build_dataset(write(tmp_path, found), "val").usage.ignored == 0


def test_what_training_leaves_out_is_counted_and_evaluation_counts_every_box(tmp_path: Path) -> None:
    found = content()
    mine = [entry for entry in found["annotations"] if entry["category_id"] == 1]
    for entry, box in zip(mine, ([300, 3, 9, 9], [3, 3, 0, 9], [3, 3, -9, 9], [3, 3, 0.5, 0.5]), strict=False):
        entry.update(bbox=box, iscrowd=0)
    spec = write(tmp_path, found)
    train, val = build_dataset(spec, "train"), build_dataset(spec, "val")
    assert train.usage.left_out == {
        "boxes outside of their images": 1,
        "boxes without area": 2,
        "boxes below a pixel": 1,
        "images without boxes": 1,
    }
    assert train.usage.boxes_used + train.usage.ignored == train.usage.boxes - 4
    assert val.usage.left_out == {}
    assert val.usage.unreachable == 3
    kept = [entry["bbox"] for entry in ground_truth(val)["annotations"]]
    assert kept == [entry["bbox"] for entry in found["annotations"] if entry["category_id"] <= len(CLASSES)]


@pytest.mark.parametrize(("min_side", "used"), [(1, 7), (28, 7), (29, 5), (150, 5), (151, 0)])
def test_the_smallest_side_is_a_setting(min_side: int, used: int, tmp_path: Path) -> None:
    found = content()
    for image in found["images"][:2]:
        image["height"] = 28
    spec = write(tmp_path, found, min_side=min_side)
    if not used:
        with pytest.raises(TrialError, match=r"train\.json: no image is left to train on .* 8 small images"):
            build_dataset(spec, "train")
        return
    data = build_dataset(spec, "train")
    assert len(data) == used == training_images(spec) == data.usage.images_used
    assert len(build_dataset(spec, "val")) == 8
    small = sum(len(image) for image in boxes(build_dataset(write(tmp_path, found, min_side=1), "train"))[:2])
    assert data.usage.left_out.get("boxes in small images", 0) == (small if used < 7 else 0)


def test_the_record_of_a_trial_says_what_was_used(tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path / "data", sizes=[(64, 48)] * 4 + [(64, 20)])
    path = tmp_path / "data" / "annotations.json"
    found = json.loads(path.read_text())
    found["annotations"][0]["area"] = 0
    found["annotations"][2]["ignore"] = 1
    path.write_text(json.dumps(found))
    train_alone(
        job(trial(dataset=spec, schedule=sgd(epochs=1, policy=ConstantPolicy(kind="constant"))), tmp_path / "trial")
    )
    record = json.loads((tmp_path / "trial" / "data.json").read_text())
    assert record["train"] == {
        "images": 5,
        "images_used": 4,
        "boxes": 5,
        "boxes_used": 3,
        "ignored": 1,
        "by_class": {"cat": 1, "dog": 2},
        "left_out": {"small images": 1, "boxes in small images": 1},
        "mended": {"annotations without area": 1},
    }
    assert record["val"]["boxes_used"] == 4


def test_a_class_with_nothing_to_learn_stops_a_trial_before_it_trains(tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path / "data", sizes=[(64, 48), (64, 20)])
    with pytest.raises(TrialError, match=r"dataset\.train: no box of class 'dog' is left to learn .* 1 small image"):
        train_alone(job(trial(dataset=spec), tmp_path / "trial"))


def test_voc_counts_are_those_of_training(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path)
    part = VocPart(folder="VOC2007", set="other")
    outside = [("cat", (70, 1, 90, 9), 0), ("dog", (1, 1, 9, 9), 0), ("cow", (1, 1, 9, 9), 0)]
    write_part(tmp_path, part, {"a": xml(SOME), "b": xml(SOME, size=(64, 30)), "c": xml(outside), "d": xml([])})
    data = build_dataset(spec.model_copy(update={"train": (part,)}), "train")
    assert len(data) == data.usage.images_used == 2
    assert data.usage.by_class == {"cat": 1, "dog": 1}
    assert data.usage.ignored == 1
    assert data.usage.left_out == {
        "small images": 1,
        "boxes in small images": 2,
        "boxes outside of their images": 1,
        "images without boxes": 1,
    }
