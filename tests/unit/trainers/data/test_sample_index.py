"""Samples from arrays, kept on disk or not, are those that the annotations hold, to the last bit."""

import json
import os
import pickle
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contract.scores import odd_coco, odd_voc
from tests.unit.trainers.coco_content import Content, content, write
from tests.unit.trainers.data.test_voc import bccd_coco, bccd_voc, needs_bccd
from tests.unit.trainers.schema.test_yolo import write_image, write_labels
from trainers.data import annotated, sample_index
from trainers.data.datasets import build_dataset
from trainers.errors import TrialError
from trainers.schema import CocoDataset
from trainers.schema.annotations import FileDataset, SplitName, read_split
from trainers.schema.annotations.usage import usage, used_boxes, used_images
from trainers.schema.dataset import YoloDataset, YoloPart
from trainers.schema.image_header import read_header

SPLITS: tuple[SplitName, ...] = ("train", "val")
Change = Callable[[Path], object]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give each test an empty cache, into which annotations of any size go."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("STILLHOUSE_CACHE", str(folder))
    monkeypatch.setattr(sample_index, "WORTH", 0)
    monkeypatch.setattr("gc.collect", lambda: 0)  # mmengine's, a third of a second for each dataset
    return folder / "samples"


def expected(spec: FileDataset, split: SplitName) -> list[dict[str, Any]]:
    """Return the records that follow from the annotations, image by image and box by box."""
    found = read_split(spec, split, lambda file: read_header(file).turned)
    return [
        {
            "img_id": image.id,
            "img_path": image.path,
            "height": image.height,
            "width": image.width,
            "instances": [_instance(box, split) for box in used_boxes(image, split)],
            "sample_idx": place,
        }
        for place, image in enumerate(used_images(found, spec))
    ]


def _instance(box: Any, split: SplitName) -> dict[str, Any]:
    found = {"bbox": list(box.corners), "bbox_label": box.label, "ignore_flag": int(box.ignored)}
    more = {"xywh": (box.x, box.y, box.width, box.height), "area": box.area}
    return found if split == "train" else found | more


def records(data: Any) -> list[dict[str, Any]]:
    data = getattr(data, "dataset", data)  # below mosaics
    return [data.get_data_info(index) for index in range(len(data))]


def bits(found: list[dict[str, Any]]) -> str:
    """Return records as text in which numbers keep their last bit; integers and floats of one value are the same."""
    return repr([{**_floats(record), "img_id": repr(record["img_id"])} for record in found])


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(item) for item in value]
    return float(min(value, sys.float_info.max)).hex() if isinstance(value, int | float) else value


def assert_same(spec: Any) -> None:
    """Compare what is served by a process that reads, and by one that finds the index, with the annotations."""
    for split in SPLITS:
        read, found = build_dataset(spec, split), build_dataset(spec, split)
        assert bits(records(found)) == bits(records(read)) == bits(expected(spec, split))
        counts = usage(read_split(spec, split, lambda file: read_header(file).turned), spec)
        assert getattr(found, "dataset", found).usage == getattr(read, "dataset", read).usage == counts


@pytest.mark.parametrize("odd", [*odd_coco.TABLE.rows, *odd_voc.TABLE.rows], ids=str)
def test_odd_data_sets(odd: Any, tmp_path: Path) -> None:
    assert_same(odd.make(tmp_path).spec)


@needs_bccd
@pytest.mark.parametrize("spec", [bccd_coco("val"), bccd_voc("val")], ids=["coco", "voc"])
def test_bccd(spec: Any) -> None:
    assert_same(spec)


def test_yolo(tmp_path: Path) -> None:
    for name, labels in (("a", "1 0.5 0.5 0.25 0.5\n"), ("b", "0 0.1 0.2 0.5 0.1 0.3 0.9\n0 0.3 0.3 0.1 0.7\n")):
        write_image(tmp_path / f"images/{name}.png")
        write_labels(tmp_path / f"labels/{name}.txt", labels)
    part = YoloPart(images="images")
    assert_same(YoloDataset(kind="yolo", root=str(tmp_path), classes=("cat", "dog"), train=part, val=part))


@pytest.mark.parametrize(
    "settings",
    [
        {"classes": ("bird", "cat", "dog")},
        {"keep_empty": True},
        {"augmentation": "mosaic"},
        {"min_side": 140},
        {"min_side": 1},
    ],
    ids=str,
)
def test_settings(settings: dict[str, Any], tmp_path: Path) -> None:
    spec = write(tmp_path, mixed(1)).model_copy(update=settings)
    assert_same(CocoDataset.model_validate(spec.model_dump()))


def test_a_divided_split_and_one_of_several_files(tmp_path: Path) -> None:
    one = write(tmp_path, mixed(2), mixed(3))
    data = one.model_dump()
    both = (data["train"], data["val"])
    assert_same(CocoDataset.model_validate({**data, "train": both, "val": (data["val"],)}))
    divided = {key: value for key, value in data.items() if key not in ("val", "test", "train")}
    assert_same(CocoDataset.model_validate({**divided, "train": both, "split": {"val": 0.4, "seed": 1}}))


def mixed(seed: int) -> Content:
    """Return content with integers and floats, large numbers, ids of all kinds, small and empty images."""
    draw = random.Random(seed)
    found = content(seed, images=30)
    for entry in found["annotations"]:
        if draw.random() < 0.5:
            entry["bbox"] = [round(side) for side in entry["bbox"]]
        entry["area"] = draw.choice([entry["area"], 7, 2**60 + 1, 10**400, 0.1 + 0.2])
    for entry in found["images"]:
        entry["height"] = draw.choice([150, 150.0, 150.5, 20])
        new = draw.choice([entry["id"], f"no {entry['id']} ü", 2**70 + entry["id"]])
        for box in (box for box in found["annotations"] if box["image_id"] == entry["id"]):
            box["image_id"] = new
        entry["id"] = new
    return found


# ------------------------------------------------------------------------------------------------------ the index


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each reading of annotations adds its split."""
    seen: list[str] = []

    def noting(spec: FileDataset, split: SplitName) -> Any:
        seen.append(split)
        return read(spec, split)

    read = annotated._read
    monkeypatch.setattr(annotated, "_read", noting)
    return seen


@pytest.fixture
def spec(tmp_path: Path) -> CocoDataset:
    return write(tmp_path / "data", content())


def test_annotations_are_read_once(spec: CocoDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    for _ in range(3):
        for split in SPLITS:
            build_dataset(spec, split)
    assert seen == ["train", "val"]


def _edit(root: Path) -> None:
    """Move a box by one pixel; the file keeps its size and its time."""
    path = root / "train.json"
    text, before = path.read_text(), path.stat()
    found = json.loads(text)
    learned = next(entry for entry in found["annotations"] if entry["category_id"] == 1)
    learned["bbox"][0] += 1.0
    path.write_text(json.dumps(found).ljust(len(text)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _rename(root: Path) -> None:
    (root / "1.png").touch()
    (root / "3.PNG").touch()


@pytest.mark.parametrize("change", [_edit, _rename])
def test_what_changes_is_read_anew(change: Change, spec: CocoDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, before = reads(monkeypatch), records(build_dataset(spec, "train"))
    change(Path(spec.root))
    after = records(build_dataset(spec, "train"))
    assert seen == ["train", "train"]
    assert after != before
    assert bits(after) == bits(expected(spec, "train"))


def test_other_settings_and_other_code_have_an_index_of_their_own(
    spec: CocoDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = reads(monkeypatch)
    build_dataset(spec, "train")
    other = spec.model_copy(update={"min_side": 151})
    with pytest.raises(TrialError, match="no image is left"):
        build_dataset(other, "train")
    monkeypatch.setattr(sample_index, "_code", lambda: "another release")
    build_dataset(spec, "train")
    assert seen == ["train"] * 3
    monkeypatch.setattr(sample_index, "_code", lambda: None)  # no source to compare with
    build_dataset(spec, "train")
    build_dataset(spec, "train")
    assert seen == ["train"] * 5


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _spoil(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)


@pytest.mark.parametrize("damage", [Path.unlink, _cut, _spoil])
@pytest.mark.parametrize("name", ["boxes.npy", "meta.json", "paths-letters.npy"])
def test_a_damaged_index_is_written_anew(
    damage: Change, name: str, spec: CocoDataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, before = reads(monkeypatch), records(build_dataset(spec, "train"))
    [file] = cache.glob(f"*/{name}")
    damage(file)
    assert records(build_dataset(spec, "train")) == before
    assert records(build_dataset(spec, "train")) == before
    assert seen == ["train", "train"]


@pytest.fixture(params=["a file in its place", "no folder below it", "a lock that is none"])
def no_cache(request: pytest.FixtureRequest, cache: Path) -> None:
    if request.param == "a lock that is none":
        (cache / "lock").mkdir(parents=True)
    else:
        cache.write_text("") if request.param.startswith("a file") else cache.symlink_to(cache)


@pytest.mark.usefixtures("no_cache")
def test_without_a_cache_each_process_reads(spec: CocoDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    for _ in range(2):
        data = build_dataset(spec, "train")
        assert bits(records(data)) == bits(expected(spec, "train"))
    assert seen == ["train", "train"]
    assert bits(records(pickle.loads(pickle.dumps(data)))) == bits(records(data))


def test_a_full_disk_leaves_nothing_behind(spec: CocoDataset, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert bits(records(build_dataset(spec, "train"))) == bits(expected(spec, "train"))
    assert [entry.name for entry in cache.iterdir()] == ["lock"]


def test_an_index_is_not_kept_of_a_file_that_is_edited_while_it_is_read(
    spec: CocoDataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edited(*given: Any) -> Any:
        found = read(*given)
        _edit(Path(spec.root))
        return found

    read = annotated._read
    monkeypatch.setattr(annotated, "_read", edited)
    build_dataset(spec, "train")
    monkeypatch.undo()
    assert not list(cache.glob("*/meta.json"))


def test_a_cache_that_nobody_has_made_yet_is_made(
    spec: CocoDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "home" / ".cache" / "stillhouse"))
    seen = reads(monkeypatch)
    for _ in range(2):
        build_dataset(spec, "train")
    assert seen == ["train"]


def test_small_files_need_no_index(spec: CocoDataset, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_index, "WORTH", 1 << 20)
    build_dataset(spec, "train")
    assert not cache.exists()


def test_old_indexes_are_removed_unless_they_were_used_of_late(
    spec: CocoDataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_index, "MOST", 2)
    for split in SPLITS:
        build_dataset(spec, split)
    old, new = cache / "old", cache / "new"
    left = cache / ".partial-left"
    for folder in (old, new, left):
        folder.mkdir()
    for folder in (old, left):
        os.utime(folder, (0, 0))
    build_dataset(write(Path(spec.root).parent / "other", content(1)), "train")
    assert not old.exists()
    assert not left.exists()
    assert new.exists()
    assert len(list(cache.glob("*/meta.json"))) == 3


def test_a_loader_process_is_sent_the_place_and_no_samples(spec: CocoDataset) -> None:
    data = build_dataset(spec, "train")
    many = build_dataset(write(Path(spec.root).parent / "many", content(0, images=2000)), "train")
    sent, sent_of_many = pickle.dumps(data), pickle.dumps(many)
    assert len(sent_of_many) - len(sent) < 1000
    assert records(pickle.loads(sent_of_many)) == records(many)


def test_no_record_is_changed_by_its_user(spec: CocoDataset) -> None:
    data = build_dataset(spec, "val")
    first = data.get_data_info(1)
    first["instances"][0]["bbox"][0] = -1.0
    first["instances"].pop()
    assert records(data) == records(build_dataset(spec, "val"))
    assert data.get_data_info(-1)["sample_idx"] == len(data) - 1
    with pytest.raises(IndexError):
        data.get_data_info(len(data))


def test_sizes_and_counts_are_those_of_the_records(spec: CocoDataset) -> None:
    for split in SPLITS:
        data = build_dataset(spec, split)
        found = records(data)
        assert data.sizes.tolist() == [[record["width"], record["height"]] for record in found]
        assert data.box_counts.tolist() == [len(record["instances"]) for record in found]
