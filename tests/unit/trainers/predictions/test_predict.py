"""Predictions are those of the exported student, on the same images for every trial, within their budget."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.tiny import dataset, trial
from trainers.data.datasets import build_dataset
from trainers.detectors.detector import build_student
from trainers.errors import TrialError
from trainers.evaluation.evaluate import evaluate
from trainers.predictions.choice import chosen
from trainers.predictions.predict import predict
from trainers.schema import class_count
from trainers.schema.predictions import ImagePredictions, Index, Limits, PredictionJob, ScoreCounts, Subject, key_of
from trainers.state.export import student_checkpoint


def subject(folder: Path, name: str, seed: int = 0, **changes) -> Subject:
    """Leave an untrained student that is sure of itself, so that it has something to show."""
    spec = trial(seed=seed, **changes)
    student = build_student(spec.student, class_count(spec.dataset), seed)
    torch.nn.init.constant_(student.bbox_head.gfl_cls.bias, -1.5)
    path = folder / f"{name}.pth"
    torch.save(student_checkpoint(student, spec, {}), path)
    return Subject(id=name, name=f"none seed={seed}", spec=spec, checkpoint=str(path))


def job(folder: Path, *subjects: Subject, **changes) -> PredictionJob:
    return PredictionJob(**{"subjects": subjects, "directory": str(folder / "out"), **changes})


def read(folder: Path, trial_id: str, key: str) -> ImagePredictions:
    return ImagePredictions.model_validate_json((folder / "out" / "trials" / trial_id / f"{key}.json").read_text())


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[Path, Index]:
    folder = tmp_path_factory.mktemp("look")
    return folder, predict(job(folder, subject(folder, "aaa"), subject(folder, "bbb", 1), limits=Limits(images=4)))


def test_every_trial_sees_the_same_images_and_files_read_back(both):
    folder, index = both
    assert Index.model_validate_json((folder / "out" / "index.json").read_text()) == index
    assert len(index.images) == 4
    assert index.trials == {"aaa": "none seed=0", "bbb": "none seed=1"}
    for name in index.trials:
        files = {path.name for path in (folder / "out" / "trials" / name).iterdir()}
        assert files == {
            "scores.json",
            "curves.json",
            "confusions.json",
            *(f"{picture.key}.json" for picture in index.images),
        }


def test_boxes_are_those_of_the_evaluation(both, monkeypatch):
    """Drive the evaluation with the same student and compare what it hands to COCO."""
    folder, index = both
    handed = []
    monkeypatch.setattr(
        "trainers.evaluation.evaluate.coco_metrics",
        lambda _, detections, *rest, **named: handed.extend(detections) or {},
    )
    made = subject(folder, "aaa")
    student = build_student(made.spec.student, class_count(made.spec.dataset), 0)
    student.load_state_dict(torch.load(made.checkpoint, weights_only=True)["state_dict"])
    evaluate(student, build_dataset(made.spec.dataset, "val"), "pycocotools")
    for picture in index.images:
        mine = read(folder, "aaa", picture.key)
        theirs = sorted((d for d in handed if str(d["image_id"]) == picture.key), key=lambda d: -d["score"])[:100]
        assert mine.boxes
        assert np.allclose(mine.scores, [d["score"] for d in theirs], atol=6e-5)
        corners = [[x, y, x + w, y + h] for x, y, w, h in (d["bbox"] for d in theirs)]
        assert np.allclose(mine.boxes, corners, atol=0.02)


def test_images_are_the_datasets_own(both):
    folder, index = both
    data = build_dataset(dataset(), "val")
    for picture in index.images:
        shown = cv2.imread(str(folder / "out" / "images" / f"{picture.key}.jpg"))
        info = data.get_data_info(int(picture.key) - 1)
        assert shown.shape[:2] == (64, 64) == (picture.shown_height, picture.shown_width)
        assert [item.box for item in picture.truth] == [tuple(map(float, item["bbox"])) for item in info["instances"]]
        for x1, y1, x2, y2 in (item.box for item in picture.truth):
            inside = shown[int(y1) : int(y2), int(x1) : int(x2)].reshape(-1, 3)
            assert inside.std() > 1  # something is drawn there


def test_counts_add_up(both):
    folder, index = both
    counts = ScoreCounts.model_validate_json((folder / "out" / "trials" / "aaa" / "scores.json").read_text())
    found = [read(folder, "aaa", picture.key) for picture in index.images]
    scores = [(kind, score) for item in found for kind, score in zip(item.kinds, item.scores, strict=True)]
    edges = np.linspace(0, 1, 21)
    for kind in ("tp", "fp", "ignored"):
        wanted, _ = np.histogram([score for one, score in scores if one == kind], edges)
        assert list(getattr(counts, kind)) == wanted.tolist()
    assert counts.objects == sum(len(picture.truth) for picture in index.images)
    assert counts.missed + sum(counts.tp) == counts.objects


def test_large_images_are_made_smaller_and_boxes_stay_in_original_pixels(tmp_path):
    index = predict(job(tmp_path, subject(tmp_path, "aaa"), limits=Limits(images=1, longest_side=32)))
    [picture] = index.images
    assert (picture.width, picture.shown_width) == (64, 32)
    assert cv2.imread(str(tmp_path / "out" / "images" / f"{picture.key}.jpg")).shape == (32, 32, 3)
    assert max(side for box in read(tmp_path, "aaa", picture.key).boxes for side in box) > 32


def test_images_that_do_not_fit_the_budget_are_left_out_last_first(both, tmp_path):
    folder, index = both
    sizes = [
        sum(file.stat().st_size for file in (folder / "out").rglob(f"{picture.key}.*")) for picture in index.images
    ]
    limits = Limits(images=4, budget_bytes=sum(sizes[:2]) + 10)
    small = predict(job(tmp_path, subject(tmp_path, "aaa"), subject(tmp_path, "bbb", 1), limits=limits))
    assert (small.images, small.left_out) == (index.images[:2], 2)
    left = {path.stem for path in (tmp_path / "out").rglob("*") if path.stem.isdigit()}
    assert left == {picture.key for picture in index.images[:2]}


def test_a_budget_too_small_for_one_image_is_refused(tmp_path):
    with pytest.raises(TrialError, match=r"one image take 0\.0\d MB, the budget is 0\.00 MB: raise it"):
        predict(job(tmp_path, subject(tmp_path, "aaa"), limits=Limits(budget_bytes=100)))


def test_images_can_be_named(tmp_path):
    index = predict(job(tmp_path, subject(tmp_path, "aaa"), image_ids=(3, 1, 3)))
    assert [picture.key for picture in index.images] == ["3", "1"]
    with pytest.raises(TrialError, match=r"no image 9: it has 8 images, numbered from 1 to 8"):
        predict(job(tmp_path, subject(tmp_path, "aaa"), image_ids=(9,)))


def test_ids_that_no_file_may_have_as_its_name_are_shown_as_the_user_writes_them(tmp_path):
    spec = write_coco_folder(tmp_path / "data", sizes=[(64, 48)] * 2)
    path = tmp_path / "data" / "annotations.json"
    names = {0: "../escape/1", 1: "-7"}
    content = json.loads(path.read_text())
    for entry in content["images"]:
        entry["id"] = names[entry["id"]]
    for entry in content["annotations"]:
        entry["image_id"] = names[entry["image_id"]]
    path.write_text(json.dumps(content))
    one = subject(tmp_path, "aaa", dataset=spec)
    index = predict(job(tmp_path, one, image_ids=("-7", "../escape/1")))
    assert [picture.id for picture in index.images] == ["-7", "../escape/1"]
    for picture in index.images:
        assert picture.key == key_of(picture.id)
        assert read(tmp_path, "aaa", picture.key).image == picture.key
        assert (tmp_path / "out" / "images" / f"{picture.key}.jpg").is_file()
    with pytest.raises(TrialError, match=r"no image 9: it has 2 images, among them \.\./escape/1, -7"):
        predict(job(tmp_path, one, image_ids=("9",)))


@pytest.mark.parametrize(("image_id", "key"), [(0, "0"), (2**62, str(2**62)), (139, "139")])
def test_numbers_are_their_own_keys(image_id, key):
    assert key_of(image_id) == key


def test_other_ids_have_keys_of_their_own():
    keys = {key_of(image_id) for image_id in (1, "1", -1, 10**30, "a", "a/b", "\udc80", "")}
    assert len(keys) == 8
    assert all(re.fullmatch("1|x[0-9a-f]{16}", key) for key in keys)


def test_a_few_images_are_a_part_of_many_and_empty_ones_come_last():
    class Data:
        def __len__(self):
            return 30

        def get_data_info(self, index):
            return {"img_id": index + 100, "instances": [] if index < 5 else [1]}

    all_of_them = chosen(Data(), 30, None)
    assert sorted(all_of_them) == list(range(30))
    assert chosen(Data(), 7, None) == all_of_them[:7]
    assert set(all_of_them[-5:]) == set(range(5))
    assert all_of_them != sorted(all_of_them)


def test_a_checkpoint_that_does_not_fit_is_named(tmp_path):
    broken = subject(tmp_path, "aaa")
    torch.save({"state_dict": {"nothing": torch.zeros(1)}}, broken.checkpoint)
    with pytest.raises(TrialError, match="student of trial aaa"):
        predict(job(tmp_path, broken))


def test_boxes_that_are_not_finite_are_left_out(tmp_path):
    made = subject(tmp_path, "aaa")
    content = torch.load(made.checkpoint, weights_only=True)
    content["state_dict"]["bbox_head.gfl_reg.weight"].fill_(3e38)  # finite, which its sums are not
    torch.save(content, made.checkpoint)
    index = predict(job(tmp_path, made, limits=Limits(images=1)))
    text = (tmp_path / "out" / "trials" / "aaa" / f"{index.images[0].key}.json").read_text()
    assert json.loads(text)["boxes"] == []
