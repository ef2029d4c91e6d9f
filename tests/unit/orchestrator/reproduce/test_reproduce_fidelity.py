"""A shortened study is the same study, with everything in its schedule moved along."""

import json
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.plan.part_of_data import chosen, parts_of, write_part
from orchestrator.plan.plan import make_plan
from orchestrator.plan.smoke_data import smoke_roots, write_smoke_data
from orchestrator.reproduce.tables import studies, study_file
from orchestrator.study.fidelity import compressed, shortened, smoke
from orchestrator.study.load import LoadedStudy, load_study
from orchestrator.study.schema import StudySpec, TrainedTeacher
from trainers.schema import CocoDataset, VocDataset
from trainers.schema.schedule import Schedule


def study(name: str) -> StudySpec:
    path = study_file(name)
    assert path is not None
    return load_study(path).study


def short(**changes: object) -> Schedule:
    full = Schedule.model_validate_json(json.dumps(changes))
    return Schedule.model_validate_json(json.dumps(compressed(full.model_dump(mode="json"))))


def test_milestones_move_with_the_length():
    schedule = short(epochs=24, policy={"kind": "step", "milestones": [16, 22]}, warmup={"iterations": 500})
    assert (schedule.epochs, schedule.policy.milestones, schedule.warmup.iterations) == (8, (5, 7), 167)
    by_steps = short(epochs=None, iterations=180_000, policy={"kind": "step", "milestones": [120_000, 160_000]})
    assert (by_steps.iterations, by_steps.policy.milestones) == (60_000, (40_000, 53_333))


def test_milestones_that_meet_or_reach_the_end_leave_at_least_one():
    assert short(epochs=12).policy.milestones == (3,)  # 8/3 and 11/3 are 3 and 4, and 4 is the end
    assert short(epochs=4, policy={"kind": "step", "milestones": [3]}).policy.milestones == (1,)


def test_yolox_keeps_the_parts_of_its_schedule():
    full = study("yolox_tiny").schedule
    schedule = shortened(study("yolox_tiny"), {}).schedule
    assert (schedule.epochs, schedule.closing_epochs, schedule.warmup.epochs, schedule.policy.begin) == (100, 5, 2, 2)
    assert full.ema is not None
    assert schedule.ema is not None
    assert schedule.ema.gamma == 667
    assert schedule.ema.momentum == pytest.approx(3 * full.ema.momentum)
    assert schedule.effective_lr == full.effective_lr


@pytest.mark.parametrize("name", studies())
def test_every_study_of_the_paper_can_be_shortened(name, tmp_path):
    full = study(name)
    roots = smoke_roots(tmp_path)
    quick = smoke(full, roots)
    assert shortened(full, parts_of([full], tmp_path)).method == quick.method == full.method
    assert quick.student == full.student
    assert quick.schedule.total_steps(100) == 2
    if isinstance(quick.teacher, TrainedTeacher):
        assert quick.teacher.schedule.total_steps(100) == 2


def test_drawn_data_is_what_the_preflight_wants(tmp_path):
    write_smoke_data(tmp_path)
    roots = smoke_roots(tmp_path)
    for name in ("gfl_r50", "voc_gfl_r18", "yolox_tiny"):
        quick = smoke(study(name), roots)
        loaded = LoadedStudy(quick, Path("study.yaml"), load_study(study_file(name)).locations, ())
        plan = make_plan(loaded, Store(tmp_path / "store"), Machine(cpus=2, gpus=0))
        assert [f for f in plan.findings if "dataset" in f.where and f.level in ("error", "missing")] == []
        assert plan.students[0].estimate.steps == 2


def test_the_part_of_coco_holds_the_same_images_everywhere(tmp_path):
    root = tmp_path / "coco"
    names = [f"{number:012d}.jpg" for number in range(200)]
    for folder in ("train2017", "val2017", "annotations"):
        (root / folder).mkdir(parents=True)
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    boxes = [{"id": number, "image_id": number} for number in range(200)]
    content = {"images": images, "annotations": boxes, "categories": []}
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    (root / "annotations" / "instances_val2017.json").write_text("{}")
    dataset = CocoDataset(kind="coco", root=str(root))
    write_part(dataset, tmp_path / "part")
    part = json.loads((tmp_path / "part" / "annotations" / "instances_train2017.json").read_text())
    kept = [image["file_name"] for image in part["images"]]
    assert kept == [name for name in names if chosen(name)]
    assert 25 < len(kept) < 80
    assert {item["image_id"] for item in part["annotations"]} == {image["id"] for image in part["images"]}
    assert (tmp_path / "part" / "train2017").resolve() == (root / "train2017").resolve()
    write_part(dataset, tmp_path / "part")


def test_the_part_of_voc_is_cut_in_its_lists_of_training_images_only(tmp_path):
    dataset = VocDataset(kind="voc", root=str(tmp_path / "voc"))
    names = [f"{number:06d}" for number in range(100)]
    for part in (*dataset.train, *dataset.val):
        folder = tmp_path / "voc" / part.folder
        for below in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (folder / below).mkdir(parents=True, exist_ok=True)
        (folder / "ImageSets" / "Main" / f"{part.set}.txt").write_text("\n".join(names) + "\n")
    write_part(dataset, tmp_path / "part")
    lists = tmp_path / "part" / "VOC2007" / "ImageSets" / "Main"
    assert (lists / "test.txt").read_text().split() == names
    assert (lists / "trainval.txt").read_text().split() == [name for name in names if chosen(name)]
