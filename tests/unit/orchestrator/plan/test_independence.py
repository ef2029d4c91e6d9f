"""Which trials a run is limited to, and which studies can be trained in parts."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.api import Study
from orchestrator.core.errors import UserError
from orchestrator.core.store import Store
from orchestrator.plan.named import chosen
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study

STUDY = """
name: parts
dataset: {kind: shapes}
teacher: {kind: train, detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}, schedule: {epochs: 1, policy: {kind: constant}}}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: bckd}
schedule: {epochs: 4, policy: {kind: constant}}
search:
  space: {method.alpha1: [0.5, 1.0]}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def plan(study: Path, tmp_path: Path) -> Plan:
    return make_plan(load_study(study), Store(tmp_path / "store"))


def test_a_distilled_student_needs_its_teacher_and_the_student_alone_needs_nobody(plan: Plan) -> None:
    teacher, alone, half, _ = plan.trials
    assert chosen(plan, [half.id[:6]]) == {teacher.id, half.id}
    assert chosen(plan, [alone.id]) == {alone.id}
    assert chosen(plan, [teacher.id, alone.id]) == {teacher.id, alone.id}


def test_names_of_no_trial_are_refused(plan: Plan) -> None:
    with pytest.raises(UserError, match="no trial begins with zz; there are "):
        chosen(plan, ["zz"])
    with pytest.raises(UserError, match="the id of a trial is empty"):
        chosen(plan, [""])


def test_a_name_of_several_is_refused(plan: Plan) -> None:
    double = replace(plan.students[0], id=f"{plan.students[1].id[:6]}zzzzzz")
    with pytest.raises(UserError, match=f"more than one trial begins with {double.id[:6]}; there are "):
        chosen(replace(plan, students=(*plan.students, double)), [double.id[:6]])


@pytest.mark.parametrize("option", ["--share", "--trials"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "search={algorithm: optuna, samples: 3, space: {schedule.lr: {loguniform: [0.001, 0.1]}}}",
            r"algorithm \(opt",
        ),
        ("search.scheduler={kind: asha, grace_epochs: 1, reduction_factor: 2}", r"scheduler \(asha\) stops trials by"),
        (
            "search={racing: {}, seeds: [0, 1, 2], space: {method.alpha1: [0.5, 1.0]}}",
            "racing decides by results which",
        ),
        ("search.max_hours=1.5", "max_hours ends the study by all of its trials"),
        ("search.max_gpu_hours=1.5", "max_gpu_hours ends the study"),
        ("search.stop_when={metric: coco/bbox_mAP, at_least: 0.5}", "stop_when ends the study"),
    ],
)
def test_a_study_whose_results_decide_about_trials_is_refused(option: str, change: str, says: str, study: Path) -> None:
    share, trials = option == "--share", ("ab",) if option == "--trials" else ()
    with pytest.raises(UserError, match=rf"search\.{says}.* one run has to train all trials: omit {option}"):
        Study.load(study, [change]).run(study.parent / "store", share=share, trials=trials)
    assert not (study.parent / "store").exists()


def test_a_shared_store_has_no_mirror(study: Path) -> None:
    with pytest.raises(UserError, match="--share and --mirror exclude each other"):
        Study.load(study).run(study.parent / "store", share=True, mirror="file:///tmp/mirror")
