"""A run ends with the costs of the trained detectors in its store, and no failure of that step ends the run."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.execution.record_costs import record_costs
from orchestrator.plan import costs
from orchestrator.plan.plan import Plan
from tests.unit.orchestrator.costs_on_paper import measuring_on_paper
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.costs import CostAnswer, CostUnit
from trainers.schema.record import Outcome, write_outcome


def trained(folder: Path) -> Plan:
    """Return a plan whose teacher has been trained, and no student yet."""
    plan = plan_text(folder, VALID)
    plan.teachers[0].directory.mkdir(parents=True)
    write_outcome(plan.teachers[0].directory, Outcome("finished"))
    return plan


def test_detectors_that_have_been_trained_are_measured_with_their_latency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = measuring_on_paper(monkeypatch, tmp_path / "cache")
    plan = trained(tmp_path)
    record_costs(plan)
    record_costs(plan)
    assert measured.widths == [[0.5]]  # the teacher's
    [record] = (tmp_path / "store" / "costs").iterdir()
    assert "A CPU on paper" in record.read_text()


def test_plans_of_a_reproduction_are_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = measuring_on_paper(monkeypatch, tmp_path / "cache")
    record_costs(replace(trained(tmp_path), part=True))
    assert measured.requests == []


@pytest.mark.parametrize("fault", ["no answer", "no process"])
def test_a_failure_is_told_and_ends_nothing(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_answer(unit: CostUnit) -> CostAnswer:
        return CostAnswer(key=unit.key, problem="cannot build it")

    def no_process(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    measuring_on_paper(monkeypatch, tmp_path / "cache", no_answer)
    if fault == "no process":
        monkeypatch.setattr(costs, "_run", no_process)
    with caplog.at_level(logging.WARNING):
        record_costs(trained(tmp_path))
    assert ("cannot build it" if fault == "no answer" else "Cannot allocate memory") in caplog.text
    assert not (tmp_path / "store" / "costs").exists()
