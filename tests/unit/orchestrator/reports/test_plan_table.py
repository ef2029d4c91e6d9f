"""A plan says what each trial gets."""

import pytest

from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan
from orchestrator.plan.resources import resources
from orchestrator.reports.plan_table import describe_elastic, describe_resources, rounded
from orchestrator.study.load import load_study
from tests.unit.orchestrator.planning import STUDIES, plan_file


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


def plan(workers: str) -> Plan:
    batches = ("schedule.batch_size=8", "teacher.schedule.batch_size=8")
    return plan_file(STUDIES / "quickstart.yaml", f"scaling.workers={workers}", *batches)


def test_an_elastic_trial_is_told_what_changes_with_its_workers() -> None:
    numbers, pace = describe_elastic(plan("{min: 1, max: 4}"))
    assert numbers == (
        "elastic: each batch is trained in 4 shares by 1, 2 or 4 workers, as many as there is room for: the numbers of a group of 4, "
        "with sums in another order, so results repeat up to rounding, not to the bit"
    )
    assert pace == "elastic: with 1 a step takes 4 to 5.3 times as long as with 4"
    assert describe_elastic(plan("4")) == []


def test_the_ends_of_a_pace_are_rounded_alike() -> None:
    assert [rounded(times) for times in (4096.0, 4096 * 4 / 3, 16.0, 64 / 3, 4.0, 16 / 3)] == [
        "4096",
        "5461",
        "16",
        "21",
        "4",
        "5.3",
    ]


def test_the_ids_of_elastic_trials_follow_from_their_most_workers_alone() -> None:
    fixed, two, one, more = (
        {trial.id for trial in plan(workers).trials}
        for workers in ("4", "{min: 2, max: 4}", "{min: 1, max: 4}", "{min: 2, max: 8}")
    )
    assert two == one
    assert not fixed & two
    assert not two & more
