"""What a cluster can become: its machines now, and those that its autoscaler may still start."""

import pytest

from orchestrator.plan.growth import NodeKind, from_text, grown, to_text
from orchestrator.plan.machine import Machine
from orchestrator.plan.resources import resources
from orchestrator.study.load import load_study
from orchestrator.study.schema import Scaling, StudySpec
from tests.unit.orchestrator.planning import STUDIES

KINDS = (NodeKind(48, 4, 2), NodeKind(8, 0, 10))
HEAD = Machine(0, 0)


def sizes(machine: Machine) -> list[tuple[int, int]]:
    return sorted((node.cpus, node.gpus) for node in machine.nodes)


def test_kinds_survive_their_text() -> None:
    assert to_text(KINDS) == "48/4/2,8/0/10"
    assert from_text(to_text(KINDS)) == KINDS
    assert from_text("") == ()


@pytest.mark.parametrize("text", ["48/4", "a/b/c", "1/2/3/4", "1,2,3"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        from_text(text)


def test_an_empty_cluster_becomes_all_that_it_may() -> None:
    assert sizes(grown([HEAD], KINDS)) == [(0, 0)] + [(8, 0)] * 10 + [(48, 4)] * 2


def test_a_machine_that_is_there_counts_as_its_kind() -> None:
    machine = grown([HEAD, Machine(48, 4)], KINDS)
    assert sizes(machine) == [(0, 0)] + [(8, 0)] * 10 + [(48, 4)] * 2
    assert machine.present is not None
    assert (machine.present.cpus, machine.present.gpus) == (48, 4)


def test_a_machine_with_other_cpus_than_described_counts_as_the_kind_with_its_gpus() -> None:
    assert sizes(grown([Machine(64, 4), Machine(64, 4)], KINDS[:1])) == [(64, 4)] * 2


def test_machines_beyond_the_kinds_stay() -> None:
    assert sizes(grown([Machine(8, 0)] * 3, [NodeKind(8, 0, 2)])) == [(8, 0)] * 3


def spec(**scaling: object) -> StudySpec:
    quickstart = load_study(STUDIES / "quickstart.yaml").study
    return quickstart.model_copy(update={"scaling": Scaling.model_validate(scaling)})


def test_a_trial_counts_on_the_grown_cluster_and_on_what_is_there() -> None:
    granted = resources(spec(gpus_per_worker=1, cpus_per_worker=4), grown([HEAD, Machine(48, 4)], KINDS))
    assert (granted.concurrent, granted.at_first) == (8, 4)


def test_a_fixed_cluster_has_no_first_size() -> None:
    assert resources(spec(), Machine(4, 0)).at_first is None


def test_the_bound_of_the_study_holds_for_both_sizes() -> None:
    granted = resources(spec(max_concurrent=3), grown([HEAD, Machine(8, 0)], [NodeKind(8, 0, 4)]))
    assert (granted.concurrent, granted.at_first) == (3, 3)
