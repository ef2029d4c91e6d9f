"""Plan studies on machines that the tests choose."""

from pathlib import Path

from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.load import load_study
from tests.unit.orchestrator.study_text import write
from trainers.schema.zoo import configs_dir

LAPTOP = Machine(cpus=2, gpus=0)
STUDIES = configs_dir() / "studies"
PIPELINES = """\
train_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]
"""  # of the config that a trial leaves


def plan_file(path: Path, *sets: str, store: Path | None = None, machine: Machine = LAPTOP) -> Plan:
    """Plan a study file; without ``store`` for one that does not exist."""
    return make_plan(load_study(path, sets), Store(store or path.parent / "store"), machine)


def plan_text(folder: Path, text: str, *sets: str, store: Path | None = None, machine: Machine = LAPTOP) -> Plan:
    """Plan a study's text."""
    return plan_file(write(folder, text), *sets, store=store or folder / "store", machine=machine)


def brief(plan: Plan) -> list[tuple[object, ...]]:
    """Return what each trial of a plan is: role, method, searched values, seed."""
    return [(trial.role, trial.spec.method.kind, *trial.params.values(), trial.spec.seed) for trial in plan.trials]


def ids(plan: Plan) -> list[str]:
    """Return the trials' identities."""
    return [trial.id for trial in plan.trials]


def teacher_of(plan: Plan) -> PlannedTrial:
    """Return the plan's teacher, which must be there."""
    return plan.teachers[0]
