"""A plan is looked at as closely as it is worth: nothing is built for a finished study, no memory forecast for a refused one."""

from pathlib import Path

import pytest

from orchestrator.core.findings import Finding, Level
from orchestrator.core.store import Store
from orchestrator.execution import checked_plan as module
from orchestrator.execution.checked_plan import checked_plan
from orchestrator.plan.build_check import BuildResult
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan, PlannedStart, make_plan
from orchestrator.study.load import LoadedStudy, load_study
from tests.unit.orchestrator.study_text import VALID, write
from trainers.schema.record import Outcome, write_outcome

ROOM, NO_ROOM = Machine(cpus=8, gpus=0), Machine(cpus=1, gpus=0)  # for two workers
START = PlannedStart("student", {"tensors": 5})


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedStudy:
    return load_study(write(tmp_path, VALID))


class Steps:
    """Stand for building and for the forecast: note that they are asked; building finds ``problem``, where one is set."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.problem: Finding | None = None

    def build(self, loaded: LoadedStudy, plan: Plan) -> BuildResult:
        self.taken.append("build")
        return BuildResult({self.problem: None} if self.problem else {}, {"student": START})

    def forecast(self, loaded: LoadedStudy, plan: Plan, machine: Machine | None) -> Plan:
        self.taken.append(f"forecast for {machine}")
        return plan


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    found = Steps()
    monkeypatch.setattr(module, "build_detectors", found.build)
    monkeypatch.setattr(module, "with_memory", found.forecast)
    return found


@pytest.mark.parametrize("to_run", [True, False])
def test_detectors_are_built_and_then_their_memory_is_forecast(
    to_run: bool, loaded: LoadedStudy, steps: Steps, tmp_path: Path
) -> None:
    plan = checked_plan(loaded, Store(tmp_path / "store"), ROOM, to_run=to_run)
    assert steps.taken == ["build", f"forecast for {ROOM}"]
    assert plan.starts == (START,)


@pytest.mark.parametrize(("to_run", "taken"), [(True, ["build"]), (False, ["build", f"forecast for {NO_ROOM}"])])
def test_a_run_without_room_is_refused_anyway_so_nothing_is_forecast(
    to_run: bool, taken: list[str], loaded: LoadedStudy, steps: Steps, tmp_path: Path
) -> None:
    checked_plan(loaded, Store(tmp_path / "store"), NO_ROOM, to_run=to_run)
    assert steps.taken == taken


@pytest.mark.parametrize(("level", "forecast"), [("error", False), ("missing", True), ("warning", True)])
def test_only_a_mistake_keeps_memory_from_being_forecast(
    level: Level, forecast: bool, loaded: LoadedStudy, steps: Steps, tmp_path: Path
) -> None:
    steps.problem = Finding(level, "student", "odd")
    plan = checked_plan(loaded, Store(tmp_path / "store"), ROOM)
    assert steps.problem in plan.findings
    assert steps.taken == ["build", *([f"forecast for {ROOM}"] if forecast else [])]


def test_of_a_finished_study_nothing_is_built_unless_its_search_may_go_on(
    loaded: LoadedStudy, steps: Steps, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    for trial in make_plan(loaded, store, ROOM).trials:
        trial.directory.mkdir(parents=True)
        write_outcome(trial.directory, Outcome("finished"))
    checked_plan(loaded, store, ROOM)
    assert steps.taken == []
    open_ended = load_study(tmp_path / "study.yaml", ("search.algorithm=optuna", "search.samples=2"))
    checked_plan(open_ended, store, ROOM)
    assert steps.taken[0] == "build"
