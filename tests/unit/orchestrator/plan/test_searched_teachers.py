"""Teachers and augmentation as searched keys: which trials a study has, which of them wait for whom, and who share."""

import itertools
from pathlib import Path

import pytest
import torch

from orchestrator.core.store import Store
from orchestrator.plan.build_check import _asked
from orchestrator.plan.cohorts import cohorts
from orchestrator.plan.named import chosen, only
from orchestrator.plan.plan import make_plan
from orchestrator.plan.weights import needed_urls, with_random_weights
from orchestrator.study.load import load_study
from tests.unit.orchestrator.planning import LAPTOP, ids, plan_text
from tests.unit.orchestrator.study_text import edit, findings_of, write

TEACHERS, FLIPS, WEIGHTS = [0, 1], [0.0, 0.5], [2.0, 4.0]
SPACE = """\
    teacher.seed: [0, 1]
    dataset.flip: [0.0, 0.5]
    method.alpha2: [2.0, 4.0]
"""
SEARCH = "    method.alpha2: [2.0, 4.0]\n  seeds: [0, 1]\n"
STUDY = edit(SEARCH, f"{SPACE}  cohort: 8\n")


def searching(space: str, *, study: str = STUDY) -> str:
    """Return the study with another space."""
    return study.replace(SPACE, space)


def one_point(flip: float, teacher: int, alpha2: float) -> str:
    """Return the study of one point alone, its teacher and its baseline."""
    plain = STUDY.replace("weights: random}", f"weights: random}}\n  seed: {teacher}", 1)
    return searching(f"    dataset.flip: [{flip}]\n    method.alpha2: [{alpha2}]\n", study=plain)


def test_every_trial_is_that_of_the_study_of_its_point(tmp_path: Path) -> None:
    everything = plan_text(tmp_path, STUDY)
    points = itertools.product(FLIPS, TEACHERS, WEIGHTS)
    separate = [plan_text(tmp_path, one_point(*point)) for point in points]
    assert set(ids(everything)) == {trial for plan in separate for trial in ids(plan)}
    assert len(ids(everything)) == len(set(ids(everything))) == 2 + 2 + 8


def test_the_study_s_own_values_make_the_trials_that_it_had(tmp_path: Path) -> None:
    plain = searching("    method.alpha2: [2.0, 4.0]\n")
    own = searching("    teacher.seed: [0]\n    dataset.flip: [0.5]\n    method.alpha2: [2.0, 4.0]\n")
    assert ids(plan_text(tmp_path, own)) == ids(plan_text(tmp_path, plain))


def test_the_student_alone_has_augmentation_and_no_teacher(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY)
    alone = [trial for trial in plan.students if trial.is_baseline]
    assert [trial.name for trial in alone] == ["none dataset.flip=0.0", "none dataset.flip=0.5"]
    assert [(trial.teacher, trial.spec.dataset.flip) for trial in alone] == [(None, 0.0), (None, 0.5)]


def test_a_searched_method_none_is_trained_once_for_all_teachers(tmp_path: Path) -> None:
    methods = searching("    method: [{kind: none}, {kind: bckd}]\n    teacher.seed: [0, 1]\n")
    plan = plan_text(tmp_path, methods)
    assert [trial.name for trial in plan.students] == [
        "none", "bckd teacher.seed=0", "bckd teacher.seed=1",
    ]  # fmt: skip


def test_teachers_see_the_data_as_the_study_has_it(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY)
    assert [trial.name for trial in plan.teachers] == ["teacher seed=0", "teacher seed=1"]
    assert {trial.spec.dataset.flip for trial in plan.teachers} == {0.5}
    for trial in plan.students:
        teacher = plan.teacher_of(trial)
        assert (teacher is None) == trial.is_baseline
        if teacher is not None:
            assert teacher.spec.seed == trial.params["teacher.seed"]
            assert trial.spec.teacher is not None
            assert trial.spec.teacher.weights is not None
            assert trial.spec.teacher.weights.path == str(teacher.directory / "best.pth")


def test_a_named_student_needs_its_own_teacher_alone(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY)
    last = plan.students[-1]
    wanted = chosen(plan, [last.id])
    assert wanted == {last.id, last.teacher}
    assert only(plan, wanted).teachers == (plan.teachers[1],)


def test_cohorts_have_one_teacher_and_one_augmentation(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY, "scaling.workers=1")
    found = cohorts(plan, plan.students)
    kinds = [{(trial.teacher, trial.spec.dataset.flip) for trial in group} for group in found.groups]
    teachers = [{name for name, _ in kind if name} for kind in kinds]
    flips = [{flip for _, flip in kind} for kind in kinds]
    assert all(len(names) <= 1 for names in (*teachers, *flips))
    assert len(set(found.keys.values())) == 4  # students alone train beside those of the first teacher
    assert set(found.reasons) == {"augmentation differs", "teachers differ"}


def test_students_alone_stay_beside_those_of_a_single_teacher(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, searching("    method.alpha2: [2.0, 4.0]\n"), "scaling.workers=1")
    assert len(set(cohorts(plan, plan.students).keys.values())) == 1


def test_prefixes_are_shared_within_a_teacher_and_an_augmentation(tmp_path: Path) -> None:
    space = "    teacher.seed: [0, 1]\n    dataset.flip: [0.0, 0.5]\n    schedule.policy.milestones: [[8], [10]]\n"
    plan = plan_text(tmp_path, searching(space))
    by_id = {trial.id: trial for trial in plan.students}
    starts = [(trial, by_id[trial.prefix.trial]) for trial in plan.students if trial.prefix]
    assert len(starts) == 2 + 4  # the second milestones of each augmentation alone, and of each teacher with each
    for one, other in starts:
        assert (one.spec.dataset, one.teacher) == (other.spec.dataset, other.teacher)


def test_an_open_search_plans_all_its_teachers_and_baselines(tmp_path: Path) -> None:
    study = STUDY.replace("  cohort: 8\n", "  algorithm: optuna\n  samples: 4\n")
    plan = plan_text(tmp_path, study)
    assert [trial.name for trial in plan.trials] == [
        "teacher seed=0", "teacher seed=1", "none dataset.flip=0.0", "none dataset.flip=0.5",
    ]  # fmt: skip
    drawn = plan_text(tmp_path, study.replace("flip: [0.0, 0.5]", "flip: {uniform: [0.0, 1.0]}"))
    assert [trial.name for trial in drawn.students] == ["none"]
    point = plan.planner.at({"teacher.seed": 1, "dataset.flip": 0.0, "method.alpha2": 2.0}, 0)
    assert point.teacher == plan.teachers[1].id
    assert point.id in ids(plan_text(tmp_path, STUDY))


def test_listed_augmentations_beside_drawn_ones_have_their_students_alone(tmp_path: Path) -> None:
    study = STUDY.replace("  cohort: 8\n", "  algorithm: random\n  samples: 6\n")
    both = study.replace(
        "dataset.flip: [0.0, 0.5]", "dataset.flip: {uniform: [0.0, 1.0]}\n    dataset.augmentation: [flip, mosaic]"
    )
    alone = [trial.name for trial in plan_text(tmp_path, both).students if trial.is_baseline]
    assert alone == ["none dataset.augmentation=flip", "none dataset.augmentation=mosaic"]
    mixed = study.replace(
        "dataset.flip: [0.0, 0.5]", "dataset: [{flip: 0.0}, {flip: {uniform: [0.2, 0.8]}}, {augmentation: mosaic}]"
    )
    datasets = [trial.spec.dataset for trial in plan_text(tmp_path, mixed).students if trial.is_baseline]
    assert [(one.flip, one.augmentation) for one in datasets] == [(0.5, "flip"), (0.0, "flip"), (0.5, "mosaic")]


def test_whole_sections_set_several_keys_at_once(tmp_path: Path) -> None:
    space = """\
    teacher:
      - {kind: train, seed: 3}
      - {kind: random, detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}
    dataset:
      - {flip: 0.0}
      - {augmentation: mosaic, mosaic: {mixup: false}}
"""
    plan = plan_text(tmp_path, searching(space))
    assert [trial.spec.seed for trial in plan.teachers] == [3]  # random weights are no trial
    taught = [trial for trial in plan.students if trial.spec.teacher]
    assert [trial.teacher for trial in taught] == [plan.teachers[0].id] * 2 + [None] * 2
    assert {trial.spec.dataset.augmentation for trial in taught} == {"flip", "mosaic"}


def test_shortened_studies_shorten_each_teacher(tmp_path: Path) -> None:
    space = "    teacher.schedule.epochs: [12, 24]\n"
    plan = make_plan(load_study(write(tmp_path, searching(space)), ["fidelity=short"]), Store(tmp_path / "s"), LAPTOP)
    assert [trial.spec.schedule.epochs for trial in plan.teachers] == [4, 8]


CHECKPOINTS = """\
teacher:
  kind: checkpoint
  path: one/best.pth
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py"}
"""


def with_files(folder: Path, names: tuple[str, ...] = ("one", "other")) -> str:
    """Write checkpoints of one name in several folders, and return a study that chooses among them."""
    for name in names:
        (folder / name).mkdir()
        torch.save({"state_dict": {name: torch.ones(1)}}, folder / name / "best.pth")
    study = STUDY.replace(STUDY[STUDY.index("teacher:\n") : STUDY.index("student:")], CHECKPOINTS)
    return searching("    teacher.path: [one/best.pth, other/best.pth]\n", study=study)


def test_files_count_by_content_and_are_found_from_the_study(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, with_files(tmp_path))
    assert [trial.name for trial in plan.teachers] == ["teacher path=one/best.pth", "teacher path=other/best.pth"]
    taught = [trial for trial in plan.students if trial.teacher]
    assert len({trial.id for trial in taught}) == 2
    assert [list(trial.inputs) for trial in taught] == [[str(tmp_path / n / "best.pth")] for n in ("one", "other")]


def test_every_teacher_is_tried_before_anything_is_trained(tmp_path: Path) -> None:
    path = write(tmp_path, with_files(tmp_path))
    loaded = load_study(path)
    plan = make_plan(loaded, Store(tmp_path / "store"), LAPTOP)
    weights = [one.unit.init.path for one in _asked(loaded, plan) if one.unit.init]
    assert weights == [str(tmp_path / name / "best.pth") for name in ("one", "other")]
    places = [one.weights for one in _asked(loaded, plan) if one.unit.init]
    assert [place.rpartition(": ")[2] for place in places] == [f"search.space.teacher.path[{n}]" for n in (0, 1)]


def test_public_teachers_are_fetched_each_or_are_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    zoo = "teacher:\n  kind: zoo\n  name: gfl_r101_fpn_ms-2x_coco\n"
    study = STUDY.replace(STUDY[STUDY.index("teacher:\n") : STUDY.index("student:")], zoo)
    study = study.replace("kind: shapes\n  train_images: 8", "kind: coco\n  root: /nowhere")
    space = "    teacher.name: [gfl_r101_fpn_ms-2x_coco, gfl_r50_fpn_ms-2x_coco]\n"
    plan = plan_text(tmp_path, searching(space, study=study))
    assert len(plan.teachers) == 2
    assert list(needed_urls(plan.study).values()) == ["search.space.teacher.name"] * 2
    assert needed_urls(with_random_weights(plan.study)) == {}


@pytest.mark.parametrize(
    ("space", "where", "words"),
    [
        ("    dataset.image_size: [[64, 64]]\n", "dataset.image_size", "changes more than training images"),
        ("    dataset: [{flip: 0.0}, {seed: 3}]\n", "dataset[1].seed", "changes more than training images"),
        ("    dataset.flip: [0.5, 1.5]\n", "dataset.flip[1]", "must be at most 1"),
        ("    dataset.augmentation: [flip, mosaic]\n    dataset.multi_scale: [{kind: choice, short: [64]}]\n",
         "dataset.augmentation[1]", "mosaic goes with batch_scales"),
        ("    teacher.schedule.lr: {uniform: [0.1, 0.2]}\n", "teacher.schedule.lr", "a grid needs a list"),
        ("    teacher: [null]\n", "teacher[0]", "expected a mapping"),
        ("    teacher.detector.config: [mmdet::none.py]\n", "teacher.detector.config[0]", "has no such config"),
        ("    teacher: [{kind: checkpoint, path: away.pth, detector: {config: mmdet::gfl/gfl_r50_fpn_1x_coco.py}}]\n", "teacher[0].path", "no such file"),
        ("    teacher: [{kind: zoo, name: gfl_r101}]\n", "teacher[0].name", "no public checkpoint of this name"),
        ("    teacher: [{kind: random, detector: {config: \"mmdet::yolox/yolox_s_8xb8-300e_coco.py\"}}]\n",
         "teacher[0].detector.config", "needs equal heads"),
    ],
)  # fmt: skip
def test_mistakes_are_told_where_they_stand(space: str, where: str, words: str, tmp_path: Path) -> None:
    found = findings_of(write(tmp_path, searching(space)))
    assert any(place.startswith("study.yaml:") and place.endswith(f"search.space.{where}") and words in message
               for level, place, message in found if level == "error"), found  # fmt: skip


def test_results_of_other_studies_do_not_tell_the_searched_teacher(tmp_path: Path) -> None:
    optuna = "  algorithm: optuna\n  samples: 4\n  warm_start: earlier\n"
    found = findings_of(write(tmp_path, STUDY.replace("  cohort: 8\n", optuna)))
    assert [where.rpartition(": ")[2] for _, where, _ in found] == ["search.warm_start"]


def test_a_drawn_teacher_is_refused(tmp_path: Path) -> None:
    study = searching("    teacher.schedule.lr: {uniform: [0.001, 0.002]}\n")
    study = study.replace("  cohort: 8\n", "  algorithm: random\n  samples: 4\n")
    [(_, where, message)] = findings_of(write(tmp_path, study))
    assert where.endswith("search.space.teacher.schedule.lr")
    assert "give a list of values" in message
