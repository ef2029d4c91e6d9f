"""`plan` and `run` say what annotations are worth before anything starts; only what was read wrong has another identity."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from orchestrator.plan.digests import dataset_digest, file_digest
from orchestrator.study.fingerprint import fingerprint
from tests.unit.orchestrator.coco_data import annotations, grey_image, section, write_coco
from tests.unit.orchestrator.planning import LAPTOP, plan_text
from tests.unit.orchestrator.study_text import edit
from tests.unit.trainers.voc_folder import SOME, write_part, write_voc_folder, xml
from trainers.schema import CocoDataset, CocoSplit
from trainers.schema.annotations import read_split
from trainers.schema.class_names import COCO80

SHAPES = "dataset:\n  kind: shapes\n  train_images: 8\n"
Content = dict[str, Any]
Change = Callable[[Content], Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_coco(tmp_path / "data")


def change(root: Path, edited: Change, split: str = "train") -> None:
    """Change a file's content in place."""
    path = root / f"{split}.json"
    content = json.loads(path.read_text())
    edited(content)
    path.write_text(json.dumps(content))


def said(root: Path, *sets: str) -> list[str]:
    """Return level and message of what a plan says of the data."""
    plan = plan_text(root.parent, edit(SHAPES, section(root)), *sets, machine=LAPTOP)
    return [f"{f.level}: {f.message.replace(f'{root}/', '')}" for f in plan.findings if "dataset." in f.where]


def small(content: Content) -> None:
    content["images"][0]["height"] = 31


def many(content: Content) -> list[Content]:
    """Return a hundred more annotations of the first image."""
    return [{**content["annotations"][0], "id": 9 + n, "bbox": [1, 1, 2 + n / 16, 9]} for n in range(100)]


def each(**values: Any) -> Change:
    """Return a change of every annotation."""

    def edited(content: Content) -> None:
        for entry in content["annotations"]:
            entry.update(values)

    return edited


def first(**values: Any) -> Change:
    """Return a change of the first annotation."""
    return lambda content: content["annotations"][0].update(values)


@pytest.mark.parametrize(
    ("edited", "message"),
    [
        (lambda c: [image.update(width=8) for image in c["images"]], "no image is left to train on (2 images and 3"),
        (each(iscrowd=1), "no box is left to learn (2 images and 3 boxes"),
        (each(ignore=1), "no box is left to learn"),
        (each(bbox=[1, 1, 0.5, 9]), "no box is left to learn (2 images and 3 boxes of the classes were read; left out: 3"),
        (each(category_id=2), "no box of class 'cat' is left to learn in train"),
        (small, ("no box of class 'cat' is left to learn in train (2 images and 3 boxes of the classes were read; left out: "
         "1 small image, 2 boxes in small images): leave it out of classes")),
        (each(image_id="1"), ("no image is left to train on (2 images and 0 boxes of the classes were read; left out: 3 "
         "annotations of unknown images")),
        (first(bbox=[float("nan"), 1, 9, 9]), "train.json: annotation 1: has the corners (nan"),
        (lambda c: c["images"].append(c["images"][0]), "train.json: image 1: has the id of an earlier one"),
    ],
)  # fmt: skip
def test_a_split_or_class_with_nothing_to_learn_is_an_error(root: Path, edited: Change, message: str) -> None:
    change(root, edited)
    [error] = [text for text in said(root) if text.startswith("error")]
    assert error.startswith(f"error: {message}")


def test_what_files_lack_is_told_once_where_they_are_divided(root: Path) -> None:
    change(root, each(area=0))
    divided = section(root).replace("val: {annotations: val.json, images: images}", "split: {val: 0.5}")
    plan = plan_text(root.parent, edit(SHAPES, divided), machine=LAPTOP)
    assert [finding.message for finding in plan.findings if "mended" in finding.message] == [
        "mended on reading: 3 annotations without area; `stillhouse data check` tells how"
    ]


def test_ids_of_another_type_are_told_by_their_cause(root: Path) -> None:
    change(root, each(image_id="1"))
    assert said(root)[1].endswith(
        "(train.json: annotation 1: has the image_id '1', which does not exist as text, but as a number); "
        "`stillhouse data check` tells more"
    )


def test_run_starts_nothing(root: Path, capsys: Any) -> None:
    change(root, each(iscrowd=1))
    study = root.parent / "study.yaml"
    study.write_text(edit(SHAPES, section(root)))
    assert main(["run", str(study), "--store", str(root.parent / "store")]) == 2
    output = capsys.readouterr()
    assert output.err.count("no box is left to learn") == 1
    assert not (root.parent / "store" / "trials").exists()


@pytest.mark.parametrize(
    ("edited", "split", "messages"),
    [
        (each(category_id=2, bbox=[1, 1, 9, 9]), "val", [
            "val.json: annotation 2: gives the same box and class as an earlier one of its image",
            "no box of 1 of 2 classes in val, which have no AP: 'cat'",
        ]),
        (first(area=0), "train", ["mended on reading: 1 annotation without area; `stillhouse data check` tells how"]),
        (first(bbox=[90, 1, 9, 9]), "val", [
            ("1 box has no area or lies outside of its image: no detection can match it, and COCO's evaluation counts it as "
            "missed"),
        ]),
        (lambda c: c["annotations"].extend(many(c)), "val", [
            ("1 image holds more than 100 objects (image 1: 102), of which the rest cannot be found: "
            "set dataset.max_detections: 102"),
        ]),
    ],
)  # fmt: skip
def test_what_is_left_out_or_mended_is_a_warning(root: Path, edited: Change, split: str, messages: list[str]) -> None:
    change(root, edited, split)
    assert said(root) == [f"warning: {message}" for message in messages]


def test_more_detections_are_enough_for_more_objects(root: Path) -> None:
    change(root, lambda c: c["annotations"].extend(many(c)), "val")
    assert said(root, "dataset.max_detections=102") == []


def test_a_copy_of_the_training_annotations_is_asked_about(root: Path) -> None:
    shutil.copytree(root / "images", root / "copies")
    shutil.copy(root / "train.json", root / "val.json")
    [message] = said(root, "dataset.val.images=copies")
    assert message.startswith("warning: val.json has the content of train.json: are the images copies, too?")


def test_smaller_images_are_used_where_the_study_says_so(root: Path) -> None:
    change(root, small)
    (root / "images" / "1.jpg").write_bytes(grey_image((64, 31), "JPEG"))
    assert said(root, "dataset.min_side=31") == []


def test_a_class_that_a_preset_has_may_be_absent(root: Path) -> None:
    for split, prefix in (("train", ""), ("val", "v")):
        (root / f"{split}.json").write_text(json.dumps(annotations([(1, 2)], COCO80, prefix=prefix)))
    assert [text.partition(":")[0] for text in said(root, "dataset.classes=coco80")] == ["warning", "warning"]


def test_voc_folders_are_read_alike(tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path / "data")
    write_part(tmp_path / "data", spec.train[0], {"a": xml(SOME, size=(64, 31)), "b": xml(SOME[:1])})
    parts = "[{folder: VOC2007, set: trainval}]"
    text = f"dataset:\n  kind: voc\n  root: data\n  classes: [cat, dog]\n  train: {parts}\n  val: {parts}\n"
    found = [finding.message for finding in plan_text(tmp_path, edit(SHAPES, text), machine=LAPTOP).findings]
    assert found[0].startswith("no box of class 'dog' is left to learn in train (2 images and 3 boxes")


# ----------------------------------------------------------------------------------------------------------- identity


def dataset(root: Path) -> CocoDataset:
    splits = {name: CocoSplit(annotations=f"{name}.json", images="images") for name in ("train", "val")}
    return CocoDataset(kind="coco", root=str(root), classes=("cat", "dog"), **splits)


def as_before(root: Path) -> str:
    """Return the digest that earlier releases computed."""
    return fingerprint([file_digest(root / f"{split}.json") for split in ("train", "val")])


READ_OTHERWISE: list[tuple[str, Change]] = [
    ("train", first(area=0)),
    ("train", first(area=-3)),
    ("train", first(ignore=1)),
    ("val", first(ignore=1)),
    ("val", first(id=0)),
    ("val", first(id=-1)),
    ("val", first(id=2**63)),
    ("val", first(area=0)),
    ("val", lambda c: c["annotations"][0].pop("area")),
    ("val", lambda c: ([x.update(id=9 - x["id"]) for x in c["categories"]], [x.update(category_id=9 - x["category_id"]) for x in c["annotations"]])),
]  # fmt: skip
READ_AS_BEFORE: list[tuple[str, Change]] = [
    ("train", first(id=0)),
    ("train", first(bbox=[1, 1, 0, 9])),
    ("train", first(bbox=[1, 1, 0.5, 9])),
    ("train", first(area=7)),
    ("train", first(ignore=0)),
    ("val", first(bbox=[1, 1, 0.5, 9])),
    ("val", first(bbox=[90, 1, 9, 9])),
    ("val", first(bbox=[1, 1, 0, 9])),
    ("val", first(id=2**62)),
    ("val", first(iscrowd=1)),
    ("val", lambda c: [x.update(id=x["id"] + 90) for x in c["images"]] and each(image_id=91)(c)),
    ("val", lambda c: ([x.update(id=7 * x["id"]) for x in c["categories"]], [x.update(category_id=7 * x["category_id"]) for x in c["annotations"]])),
]  # fmt: skip


@pytest.mark.parametrize(("split", "edited"), READ_OTHERWISE)
def test_what_earlier_releases_read_otherwise_has_another_identity(root: Path, split: str, edited: Change) -> None:
    assert dataset_digest(dataset(root)) == as_before(root)
    change(root, edited, split)
    assert dataset_digest(dataset(root)) != as_before(root)


@pytest.mark.parametrize(("split", "edited"), READ_AS_BEFORE)
def test_all_other_files_keep_theirs(root: Path, split: str, edited: Change) -> None:
    change(root, edited, split)
    assert dataset_digest(dataset(root)) == as_before(root)


def test_files_that_a_plan_does_not_read_keep_theirs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(root, first(area=0))
    monkeypatch.setattr("orchestrator.dataset_check.readings.READABLE", 10)
    assert dataset_digest(dataset(root)) == as_before(root)


def test_a_file_is_read_once_while_it_stays_what_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    monkeypatch.setattr(
        "orchestrator.dataset_check.readings.read_split",
        lambda data, name: reads.append(name) or read_split(data, name),
    )
    assert said(root) == []
    assert sorted(reads) == ["train", "val"]
    (root / "train.json").write_text(json.dumps(annotations([(1, 2), (1, 2)])))
    assert said(root) == []
    assert sorted(reads) == ["train", "train", "val"]
