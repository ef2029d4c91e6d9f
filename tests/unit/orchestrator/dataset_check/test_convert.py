"""Converted data is the same data: the same boxes for training, the same ones for evaluation, in the same order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.dataset_check.source import read_dataset
from tests.unit.orchestrator.coco_data import grey_image, section, voc_section, write_coco, write_voc_splits
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.trainers.voc_folder import write_part, xml
from trainers.schema import VocPart
from trainers.schema.annotations import FileDataset, read_split
from trainers.schema.annotations.usage import used_boxes, used_images
from trainers.schema.dataset import splits_of

Stillhouse = Callable[..., Answer]


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Stillhouse:
    return runner(capsys)


def coco(root: Path) -> str:
    write_coco(root / "data")
    odd = json.loads((root / "data" / "val.json").read_text())
    odd["annotations"][0] |= {"iscrowd": 1, "area": 40}
    odd["annotations"][1] |= {"bbox": [60, 40, 0, 5], "id": 7}
    (root / "data" / "val.json").write_text(json.dumps(odd))
    return section(root / "data")


def several_files(root: Path) -> str:
    write_coco(root / "data")
    both = "[{annotations: train.json, images: images}, {annotations: val.json, images: images}]"
    return (
        f"dataset: {{kind: coco, root: data, classes: [dog, cat], train: {both}, split: {{val: 0.25, test: 0.25}}}}\n"
    )


def voc(root: Path) -> str:
    dataset = write_voc_splits(root / "data")
    odd = [("cat", (3.0, 2.0, 20.0, 20.0), 1), ("dog", (5.0, 5.0, 5.0, 9.0), 0), ("bird", (1.0, 1.0, 9.0, 9.0), 0)]
    write_part(root / "data", VocPart(folder="VOC2007", set="test"), {"009999": xml(odd)})
    return voc_section(dataset)


def yolo(root: Path) -> str:
    for split in ("train", "val"):
        for number in range(2):
            image = root / "data" / "images" / split / f"ä {number}.png"
            label = root / "data" / "labels" / split / f"ä {number}.txt"
            image.parent.mkdir(parents=True, exist_ok=True)
            label.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(grey_image((64, 48), "PNG"))
            label.write_text("1 0.5 0.5 0.25 0.5\n0 0.1 0.1 0.1 0.1\n" if number else "")
    return "dataset: {kind: yolo, root: data, classes: [cat, dog], keep_empty: true, image_size: [96, 64]}\n"


def voc_from_zero(root: Path) -> str:
    return voc(root) + "  first_pixel: 0\n"


FORMATS = {
    "coco": coco,
    "several files, divided": several_files,
    "voc": voc,
    "voc, pixels counted from 0": voc_from_zero,
    "yolo": yolo,
}


def content(dataset: FileDataset) -> dict[str, Any]:
    """Return all that training and evaluation see of a dataset, without ids."""
    found = {}
    for name in splits_of(dataset):
        split = read_split(dataset, name)
        assert split.notes.stopping is None, str(split.notes.stopping)
        names = dataset.classes
        found[name] = [
            (
                Path(image.path).resolve(),
                image.size,
                [(names[box.label], box.corners, box.area, box.ignored) for box in used_boxes(image, name)],
            )
            for image in used_images(split, dataset)
        ]
    return found


@pytest.mark.parametrize("where", ["data/coco", "elsewhere/coco"])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_converted_data_is_the_same(kind: str, where: str, tmp_path: Path, stillhouse: Stillhouse) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(FORMATS[kind](tmp_path))
    before = read_dataset(study, ()).dataset
    expected = content(before)  # type: ignore[arg-type]  # no shapes
    answer = stillhouse("data", "convert", study, "--to", tmp_path / where)
    assert answer.code == 0, answer.err
    after = read_dataset(tmp_path / where / "dataset.yaml", ()).dataset
    assert content(after) == expected  # type: ignore[arg-type]
    assert any(boxes for _, _, boxes in expected["val"])
    same = ("classes", "image_size", "keep_empty", "min_side")
    assert [list(getattr(after, key)) if key == "classes" else getattr(after, key) for key in same] == [
        list(getattr(before, key)) if key == "classes" else getattr(before, key) for key in same
    ]


def test_the_order_of_evaluation_stays(tmp_path: Path, stillhouse: Stillhouse) -> None:
    """It decides between equal scores, and follows ids, not places in the file."""
    study = tmp_path / "study.yaml"
    study.write_text(coco(tmp_path))
    path = tmp_path / "data" / "val.json"
    data = json.loads(path.read_text())
    renamed = {image["id"]: 100 - number for number, image in enumerate(data["images"])}
    for item in (*data["images"], *data["annotations"]):
        key = "image_id" if "image_id" in item else "id"
        item[key] = renamed[item[key]]
    path.write_text(json.dumps(data))
    assert stillhouse("data", "convert", study, "--to", tmp_path / "coco").code == 0
    after = json.loads((tmp_path / "coco" / "val.json").read_text())["images"]
    names = [Path(image["file_name"]).name for image in sorted(data["images"], key=lambda image: image["id"])]
    assert [Path(image["file_name"]).name for image in sorted(after, key=lambda image: image["id"])] == names
    assert len(names) > 1


@pytest.mark.parametrize("kind", FORMATS)
def test_the_files_are_cocos(kind: str, tmp_path: Path, stillhouse: Stillhouse) -> None:
    (tmp_path / "study.yaml").write_text(FORMATS[kind](tmp_path))
    assert stillhouse("data", "convert", tmp_path / "study.yaml", "--to", tmp_path / "out").code == 0
    for path in (tmp_path / "out").glob("*.json"):
        data = json.loads(path.read_text())
        ids = [item["id"] for item in data["annotations"]]
        assert ids == list(range(1, len(ids) + 1))
        assert {item["image_id"] for item in data["annotations"]} <= {item["id"] for item in data["images"]}
        assert all(
            set(item) == {"id", "image_id", "category_id", "bbox", "area", "iscrowd"} for item in data["annotations"]
        )
        assert not any(item["file_name"].startswith(("/", "..")) for item in data["images"])


def test_difficult_objects_become_crowds_and_worthless_ones_go(tmp_path: Path, stillhouse: Stillhouse) -> None:
    (tmp_path / "study.yaml").write_text(voc(tmp_path))
    answer = stillhouse("data", "convert", tmp_path / "study.yaml", "--to", tmp_path / "out", "--json")
    found = json.loads((tmp_path / "out" / "val.json").read_text())["annotations"]
    assert [(item["bbox"], item["iscrowd"]) for item in found] == [([2, 1, 17, 18], 1)]
    assert answer.json["left_out"] == [
        "val: left out: 1 box of other names than the classes",
        "val: left out: 1 box that nothing is trained or scored on",
    ]


def test_images_are_copied_where_asked(tmp_path: Path, stillhouse: Stillhouse) -> None:
    (tmp_path / "study.yaml").write_text(yolo(tmp_path))
    expected = content(read_dataset(tmp_path / "study.yaml", ()).dataset)  # type: ignore[arg-type]
    assert stillhouse("data", "convert", tmp_path / "study.yaml", "--to", tmp_path / "out", "--copy-images").code == 0
    (tmp_path / "data").rename(tmp_path / "gone")
    (tmp_path / "out").rename(tmp_path / "moved")
    after = content(read_dataset(tmp_path / "moved" / "dataset.yaml", ()).dataset)  # type: ignore[arg-type]
    assert [[boxes for _, _, boxes in split] for split in after.values()] == [
        [boxes for _, _, boxes in split] for split in expected.values()
    ]
    assert all(path.is_file() for split in after.values() for path, _, _ in split)


def test_nothing_is_overwritten_without_force(tmp_path: Path, stillhouse: Stillhouse) -> None:
    (tmp_path / "study.yaml").write_text(coco(tmp_path))
    before = (tmp_path / "data" / "train.json").read_bytes()
    answer = stillhouse("data", "convert", tmp_path / "study.yaml", "--to", tmp_path / "data")
    assert (answer.code, len(answer.complaints)) == (2, 1)
    assert f"{tmp_path}/data/train.json exists (and 1 more)" in answer.err
    assert (tmp_path / "data" / "train.json").read_bytes() == before
    assert not (tmp_path / "data" / "dataset.yaml").exists()
    assert stillhouse("data", "convert", tmp_path / "study.yaml", "--to", tmp_path / "data", "--force").code == 0
    assert (tmp_path / "data" / "train.json").read_bytes() != before


def test_a_folder_is_recognised(tmp_path: Path, stillhouse: Stillhouse) -> None:
    yolo(tmp_path)
    (tmp_path / "data" / "data.yaml").write_text("names: [cat, dog]\ntrain: images/train\nval: images/val\n")
    answer = stillhouse("data", "convert", tmp_path / "data", "--to", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert yaml.safe_load((tmp_path / "out" / "dataset.yaml").read_text())["dataset"]["classes"] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: {kind: shapes}\n", "shapes are drawn on the fly"),
        ("dataset: {kind: coco, root: nowhere, classes: [cat]}\n", "nowhere/annotations/instances_train2017.json"),
    ],
)
def test_data_that_cannot_be_converted(text: str, message: str, tmp_path: Path, stillhouse: Stillhouse) -> None:
    (tmp_path / "study.yaml").write_text(text)
    answer = stillhouse("data", "convert", tmp_path / "study.yaml", "--to", tmp_path / "out")
    assert (answer.code, len(answer.complaints)) == (2, 1)
    assert message in answer.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("check study.yaml --force", "go with data convert"),
        ("convert study.yaml", "needs --to DIR"),
        ("convert study.yaml --to out --decode", "--decode goes with data check"),
        ("convert data --to out --set dataset.root=x", "--set changes a study"),
    ],
)
def test_no_option_is_ignored(
    words: str, message: str, tmp_path: Path, stillhouse: Stillhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "study.yaml").write_text(coco(tmp_path))
    monkeypatch.chdir(tmp_path)
    answer = stillhouse("data", *words.split())
    assert (answer.code, len(answer.complaints)) == (2, 1)
    assert message in answer.err


def test_the_reference_shows_what_is_printed(
    tmp_path: Path, stillhouse: Stillhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[4] / "docs" / "commands.md").read_text(encoding="utf-8")
    (tmp_path / "study.yaml").write_text(voc_section(write_voc_splits(tmp_path / "data")))
    monkeypatch.chdir(tmp_path)
    answer = stillhouse("data", "convert", "study.yaml", "--to", "coco")
    assert f"$ stillhouse data convert study.yaml --to coco\n{answer.out}```" in page
