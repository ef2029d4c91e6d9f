"""A model card says what is known of a student, and no folder of the machine that trained it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.card_facts import CardFacts, card_facts
from orchestrator.reports.card_settings import without_folders
from orchestrator.reports.model_card import BUILD, DETECT, MEASURE, model_card
from orchestrator.tracking.reading import TrialResults
from tests.unit.orchestrator.coco_data import section, write_coco
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.reports.example import plan_of, results_of
from tests.unit.orchestrator.study_text import VALID, edit
from trainers.schema.costs import DetectorCost
from trainers.schema.record import COUNTS

WORDS = ("/home/me/study.yaml", "--set", "dataset.root=/home/of me/photos", "--trust-config")


def distilled(plan: Plan) -> PlannedTrial:
    """Return the student of the highest AP: bckd with alpha2 4, seed 1."""
    return next(t for t in plan.students if (t.params.get("method.alpha2"), t.spec.seed) == (4.0, 1))


def facts_of(plan: Plan, trial: PlannedTrial, folder: Path) -> CardFacts:
    return card_facts(plan, trial, TrialResults(results_of(plan), {}, None), facts_folder(folder), WORDS)


def facts_folder(folder: Path) -> Path:
    """Return a folder with the names of an export's files."""
    made = folder / "made"
    made.mkdir()
    for name in ("config.py", "student.pth", "val.json"):
        (made / name).write_text(name)
    return made


@pytest.fixture
def card(tmp_path: Path) -> str:
    plan = plan_of(tmp_path)
    return model_card(facts_of(plan, distilled(plan), tmp_path))


def test_the_table_has_the_student_its_seeds_the_student_alone_and_the_teacher(card: str) -> None:
    rows = [line.split(" | ")[:3] for line in card.splitlines() if line.startswith("| ") and " | AP" not in line]
    assert rows[1:5] == [
        ["| this student, best epoch", "seed 1", "43.8"],
        ["| its setting, all seeds", "2 seeds: 0, 1", "40.6 ± 4.4"],
        ["| the same student alone", "2 seeds: 0, 1", "28.1 ± 4.4"],
        ["| teacher", "seed 0", "50.0"],
    ]


def test_the_card_names_the_epoch_of_the_exported_weights(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    trial = distilled(plan)
    ended = [replace(found, epoch=8, best_epoch=3) for found in results_of(plan)]
    facts = card_facts(plan, trial, TrialResults(ended, {}, None), facts_folder(tmp_path), WORDS)
    assert "| this student, epoch 3 | seed 1 | 43.8 " in model_card(facts)


def test_the_card_of_a_teacher_calls_it_one(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    shown = model_card(facts_of(plan, plan.teachers[0], tmp_path))
    assert shown.startswith(f"# {plan.study.name}: teacher {plan.teachers[0].id}\n")
    assert "| this teacher, best epoch | seed 0 | 50.0 " in shown
    assert "this student" not in shown


def test_digests_commands_and_the_way_to_load_are_there(card: str) -> None:
    assert f"| student.pth | {hashlib.sha256(b'student.pth').hexdigest()} |" in card
    for part in (DETECT, BUILD, MEASURE):
        assert part in card
    assert "$ stillhouse run study.yaml --set dataset.root=photos --trust-config\n" in card


def test_licences_are_stated_where_they_are_known_and_left_to_the_user_elsewhere(card: str) -> None:
    assert "| these weights | fill in |" in card
    assert "| the data that it was trained on | fill in |" in card
    assert "MS COCO" not in card


def test_costs_are_shown_where_they_were_measured(tmp_path: Path, card: str) -> None:
    assert "## Costs" not in card
    (tmp_path / "again").mkdir()
    plan = plan_of(tmp_path / "again")
    facts = facts_of(plan, distilled(plan), tmp_path / "again")
    cost = DetectorCost(parameters=32_300_000, macs=None, input_size=(128, 96), classes=3)
    shown = model_card(replace(facts, costs=(("this student", cost),)))
    assert "| this student | 32.3 M | - | - |" in shown
    assert "128 x 96" in shown


def test_counts_come_from_the_trial_s_record_and_no_folder_is_named(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "my photos")
    shapes = VALID[VALID.index("dataset:") : VALID.index("teacher:")]
    plan = plan_text(tmp_path, edit(shapes, section(root)))
    trial = plan.students[0]
    trial.directory.mkdir(parents=True)
    used = {"images_used": 7, "boxes_used": 9, "by_class": {"cat": 4, "dog": 5}}
    (trial.directory / COUNTS).write_text(json.dumps({"train": used, "val": used}))
    shown = model_card(replace(facts_of(plan, trial, tmp_path), rows=()))
    assert "| data set | my photos (coco) |" in shown
    assert "| training | 7 images, 9 boxes: 4 cat, 5 dog |" in shown
    assert "## Results" not in shown
    assert str(tmp_path) not in shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/home/me/weights/r50.pth", "r50.pth"),
        ("{path: /home/me/a.pth, kind: checkpoint}", "{path: a.pth, kind: checkpoint}"),
        ("--set student.config=../mine/net.py", "--set student.config=net.py"),
        ("~/photos", "photos"),
        ("/home/of me/photos", "photos"),
        ("mmdet::gfl/gfl_r50_fpn_1x_coco.py", "mmdet::gfl/gfl_r50_fpn_1x_coco.py"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("0.5/0.75 of 3/4", "0.5/0.75 of 3/4"),
    ],
)
def test_paths_are_cut_to_their_last_names(text: str, says: str) -> None:
    assert without_folders(text) == says
