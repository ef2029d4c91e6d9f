"""A study that chooses among teachers and augmentations, in cohorts, killed once: the bits of studies of one point."""

import json
import time
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from tests.e2e.stillhouse import started, stillhouse
from tests.unit.trainers.tiny import assert_same_run
from trainers.loop.loop import train_alone
from trainers.schema.record import read_status

DETECTOR = '{config: "stillhouse::gfl_r18_fpn.py", width: 0.125, weights: random}'
STUDY = f"""
name: choosing
dataset: {{kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}}
teacher:
  kind: train
  detector: {DETECTOR}
  schedule: {{epochs: 1, batch_size: 4, policy: {{kind: constant}}}}
student: {DETECTOR}
method: {{kind: bckd}}
schedule: {{epochs: 2, batch_size: 4, policy: {{kind: constant}}}}
search:
  cohort: 2
  space:
    teacher:
      - {{kind: train, seed: 1}}
      - {{kind: checkpoint, path: FILE, detector: {DETECTOR}}}
    dataset: [{{flip: 0.0}}, {{multi_scale: {{kind: range, short: [32, 64]}}}}]
scaling: {{cpus_per_worker: 1}}
"""


def planned(study: Path, store: Path, *sets: str) -> Plan:
    return make_plan(load_study(study, sets), Store(store))


def trained_teacher(folder: Path) -> Path:
    """Return the checkpoint of a teacher that another study has trained."""
    study = folder / "other.yaml"
    study.write_text(STUDY[: STUDY.index("search:")].replace("kind: train\n", "kind: train\n  seed: 7\n"))
    plan = planned(study, folder / "elsewhere")
    [teacher] = plan.teachers
    train_alone(plan.job(teacher))
    return teacher.directory / "best.pth"


def killed(study: Path, store: Path) -> None:
    """Start a run, and kill it when the first distilled student has a record."""
    plan = planned(study, store)
    histories = [trial.directory / "history.jsonl" for trial in plan.students if trial.teacher]
    run = started("run", study, "--store", store)
    try:
        while run.poll() is None and not any(path.exists() for path in histories):
            time.sleep(0.05)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode != 0
    states = {read_status(trial.directory) for trial in plan.students}
    assert states != {"finished"}


@pytest.mark.slow
def test_choosing_among_teachers_and_augmentations(tmp_path: Path) -> None:
    study, store, apart = tmp_path / "study.yaml", tmp_path / "store", tmp_path / "apart"
    study.write_text(STUDY.replace("FILE", str(trained_teacher(tmp_path))))
    killed(study, store)
    done = stillhouse("run", study, "--store", store, "--json")
    assert done.code == 0, done.err
    plan = planned(study, store)
    assert (len(plan.teachers), len(plan.students)) == (2, 2 + 4)
    assert {trial.status for trial in plan.trials} == {"finished"}
    for student in plan.students:
        if student.is_baseline:
            continue
        point = json.dumps({key: [value] for key, value in student.params.items()})
        alone = planned(study, apart, f"search.space={point}")
        for trial in alone.trials:  # its teacher, the student alone, and itself
            if read_status(trial.directory) == "new":
                train_alone(alone.job(trial))
            assert_same_run(trial.directory, store / "trials" / trial.id)
    trained = {path.name for path in (apart / "trials").iterdir()}
    assert trained == {trial.id for trial in plan.trials}
