"""Images that change under unchanged annotations are noticed, told, and taken into account when asked."""

import json
import os
import shutil
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.execution.prefix_order import KeptNotes
from orchestrator.plan import images
from orchestrator.plan.images import ImageRecorder, compared, look, present_digest, recorded
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import LoadedStudy, load_study
from tests.unit.orchestrator.coco_data import grey_image
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import LAPTOP, ids
from tests.unit.orchestrator.study_text import findings_of, write
from trainers.schema import CocoDataset, ShapesDataset, VocDataset, VocPart
from trainers.schema.record import Outcome, write_outcome

STUDY = """\
name: mine
dataset:
  kind: coco
  root: data
  classes: [red]
  train: {annotations: train.json, images: images}
  val: {annotations: val.json, images: images}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 1, batch_size: 1, lr: 0.001, policy: {kind: constant}}
search: {seeds: [0, 1]}
"""
NAMES = {"train": ["a.png", "b.png", "c.png"], "val": ["d.png"]}
LONG_AGO, NOW = 1_000_000_000, 2_000_000_000  # seconds since 1970


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write a dataset whose images are old, and return the folder of images."""
    folder = tmp_path / "data" / "images"
    folder.mkdir(parents=True)
    for split, names in NAMES.items():
        listed = [{"id": n, "file_name": name, "width": 64, "height": 64} for n, name in enumerate(names, 1)]
        boxes = [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 30, 30], "area": 900, "iscrowd": 0} for n in (1,)
        ]
        content = {"images": listed, "annotations": boxes, "categories": [{"id": 1, "name": "red"}]}
        (folder.parent / f"{split}.json").write_text(json.dumps(content))
        for name in names:
            write_image(folder / name, "old", LONG_AGO)
    return folder


def write_image(path: Path, content: str, at: int) -> None:
    path.write_bytes(grey_image((64, 64), "PNG") + content.encode())  # readers stop at the image's end
    os.utime(path, (at, at))


def loaded_in(folder: Path, *sets: str) -> LoadedStudy:
    return load_study(write(folder, STUDY), sets)


def planned(folder: Path, *sets: str) -> Plan:
    return make_plan(loaded_in(folder, *sets), Store(folder / "store"), LAPTOP)


def train(folder: Path, *sets: str, number: int | None = None) -> Plan:
    """Let the trials of a study begin, as a run does."""
    plan = planned(folder, *sets)
    recorder = ImageRecorder(plan)
    for trial in plan.trials[:number]:
        recorder.started(trial.id)
        trial.directory.mkdir(parents=True, exist_ok=True)
        (trial.directory / "history.jsonl").touch()
    return plan


def told(folder: Path, *sets: str) -> list[str]:
    before = planned(folder, *sets)
    return [str(finding) for finding in compared(before, "dataset").findings if finding not in before.findings]


def test_nothing_is_said_of_images_that_stay_or_of_trials_without_a_record(data: Path, tmp_path: Path) -> None:
    plan = planned(tmp_path)
    for trial in plan.trials:
        trial.directory.mkdir(parents=True)
        (trial.directory / "history.jsonl").touch()
    train(tmp_path)  # goes on with trials that began before there were records
    assert not any(recorded(trial.directory) for trial in plan.trials)
    write_image(data / "a.png", "other", NOW)
    assert told(tmp_path) == []
    shutil.rmtree(tmp_path / "store")
    train(tmp_path)
    assert told(tmp_path) == []


def test_a_trial_that_failed_before_it_learnt_anything_is_recorded_anew(data: Path, tmp_path: Path) -> None:
    plan = planned(tmp_path)
    ImageRecorder(plan).started(plan.trials[0].id)
    write_image(data / "a.png", "mended", NOW)
    train(tmp_path)
    assert told(tmp_path) == []


def test_a_trial_that_others_start_from_counts_as_well(data: Path, tmp_path: Path) -> None:
    """Its images are those of the first epochs, though it belongs to another study."""
    longer = ("schedule.epochs=2",)
    [short, _] = train(tmp_path, "scaling.keep_states=last").trials
    KeptNotes(planned(tmp_path, "scaling.keep_states=last"), Store(tmp_path / "store")).started(short.id)
    (short.directory / "kept-1.pt").touch()
    write_outcome(short.directory, Outcome("finished"))
    assert told(tmp_path, *longer) == []
    write_image(data / "d.png", "larger", LONG_AGO)
    [line] = told(tmp_path, *longer)
    assert f"the images have changed since 1 trial ({short.id}) began" in line


def test_another_size_is_a_warning_that_names_trials_and_both_states(data: Path, tmp_path: Path) -> None:
    first = train(tmp_path).trials[0].id
    then = look(loaded_in(tmp_path).study.dataset)
    write_image(data / "d.png", "larger", LONG_AGO)
    [line] = told(tmp_path)
    assert line.startswith("dataset: warning: the images have changed since 2 trials (")
    assert then is not None
    for part in (first, then.sizes, present_digest(loaded_in(tmp_path).study.dataset), "--images-changed"):
        assert part in line


def test_states_of_several_trials_are_told_apart(data: Path, tmp_path: Path) -> None:
    train(tmp_path, number=1)
    write_image(data / "a.png", "larger", LONG_AGO)
    train(tmp_path)
    [line] = told(tmp_path)
    assert "since 1 trial (" in line


def test_times_alone_tell_an_edit_from_a_copy(data: Path, tmp_path: Path) -> None:
    train(tmp_path)
    write_image(data / "a.png", "new", NOW)  # as long as before
    assert "warning: 1 of 4 images was written after" in told(tmp_path)[0]
    for image in data.iterdir():
        write_image(image, "new", NOW)
    assert "note: all images were written after" in told(tmp_path)[0]
    for image in data.iterdir():
        os.utime(image, (LONG_AGO - 5, LONG_AGO - 5))
    assert told(tmp_path) == []


def test_files_that_no_annotation_names_do_not_count(data: Path, tmp_path: Path) -> None:
    train(tmp_path)
    write_image(data / "z.png", "added", NOW)
    assert told(tmp_path) == []
    (data / "b.png").unlink()
    assert "have changed" in told(tmp_path)[0]


def test_folders_count_as_they_are_where_annotations_are_too_large(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "READABLE", 10)
    dataset = loaded_in(tmp_path).study.dataset
    before = present_digest(dataset)
    (data / "Thumbs.db").write_text("x")
    assert present_digest(dataset) == before
    (data / "deep").mkdir()
    write_image(data / "deep" / "z.jpg", "added", NOW)
    assert present_digest(dataset) != before


def test_voc_lists_name_their_images(tmp_path: Path) -> None:
    root = tmp_path / "VOC"
    for folder in ("ImageSets/Main", "JPEGImages", "Annotations"):
        (root / folder).mkdir(parents=True)
    (root / "ImageSets" / "Main" / "some.txt").write_text("one\ntwo\n")
    part = (VocPart(folder="VOC", set="some"),)
    dataset = VocDataset(kind="voc", root=str(tmp_path), train=part, val=part, classes=("red",))
    write_image(root / "JPEGImages" / "one.jpg", "x", NOW)
    before = present_digest(dataset)
    write_image(root / "JPEGImages" / "three.jpg", "x", NOW)
    assert present_digest(dataset) == before
    write_image(root / "JPEGImages" / "two.png", "x", NOW)
    assert present_digest(dataset) != before


def test_the_digest_is_the_same_wherever_the_images_lie(data: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    shutil.copytree(tmp_path / "data", there / "data")
    assert present_digest(loaded_in(there).study.dataset) == present_digest(loaded_in(tmp_path).study.dataset)


def test_a_slow_file_system_is_left_alone(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LONGEST_S", -1.0)
    assert look(loaded_in(tmp_path).study.dataset) is None
    train(tmp_path)
    assert told(tmp_path) == []


def test_a_study_that_names_its_images_makes_other_trials_and_is_held_to_them(data: Path, tmp_path: Path) -> None:
    digest = present_digest(loaded_in(tmp_path).study.dataset)
    named = f"dataset.images_digest={digest}"
    assert not set(ids(planned(tmp_path, named))) & set(ids(planned(tmp_path)))
    assert told(tmp_path, named) == []
    write_image(data / "a.png", "larger", NOW)
    [line] = told(tmp_path, named)
    assert line.startswith("dataset.images_digest: the images differ from those of")


def test_a_default_stays_out_of_the_identity() -> None:
    for dataset in (CocoDataset(kind="coco", root="x"), VocDataset(kind="voc", root="x")):
        assert "images_digest" not in dataset.identity()
        assert dataset.model_copy(update={"images_digest": "img-0"}).identity()["images_digest"] == "img-0"


def test_shapes_have_no_images_to_name(tmp_path: Path) -> None:
    assert look(ShapesDataset(kind="shapes")) is None
    study = (
        STUDY[: STUDY.index("dataset:")]
        + "dataset: {kind: shapes, images_digest: img-000000000000}\nstudent:"
        + STUDY[STUDY.index("student:") + 8 :]
    )
    assert any("images_digest" in where for _, where, _ in findings_of(write(tmp_path, study)))


def test_plan_says_it_and_takes_the_images_for_others_when_asked(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ids(train(tmp_path))
    write_image(data / "a.png", "larger", NOW)

    def plan(*options: str) -> Answer:
        return runner(capsys)("plan", tmp_path / "study.yaml", "--store", tmp_path / "store", "--json", *options)

    old, new = plan(), plan("--images-changed")
    assert (old.code, new.code) == (0, 0)
    assert [trial["id"] for trial in old.json["trials"]] == before
    assert [f["level"] for f in old.json["findings"] if "images have changed" in f["message"]] == ["warning"]
    assert {trial["status"] for trial in new.json["trials"]} == {"new"}
    [note] = [f["message"] for f in new.json["findings"] if "images_digest" in f["message"]]
    assert present_digest(loaded_in(tmp_path).study.dataset) in note
    shutil.rmtree(tmp_path / "data" / "images")
    assert plan("--images-changed").code == 2
