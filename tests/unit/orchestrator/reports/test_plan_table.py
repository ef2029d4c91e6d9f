"""A plan says what each trial gets."""

import pytest

from orchestrator.plan.machine import Machine
from orchestrator.plan.resources import resources
from orchestrator.reports.plan_table import describe_resources
from orchestrator.study.load import load_study
from tests.unit.orchestrator.planning import STUDIES


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (Machine(2, 0), "each trial: 1 worker x 1 CPU; 2 at once here"),
        (Machine(16, 2), "each trial: 1 worker x 8 CPU + 1 GPU (with 7 loading images); 2 at once here"),
        (Machine(16, 0), "each trial: 1 worker x 1 CPU; 16 at once here"),
    ],
)
def test_resources_are_one_sentence(machine: Machine, says: str) -> None:
    study = load_study(STUDIES / "quickstart.yaml").study
    assert describe_resources(resources(study, machine)) == says
