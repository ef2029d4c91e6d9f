"""Each fault that simulated schedules have to find has its place in the code, once."""

import pytest

from tests.simulation.faults import FAULTS
from tests.simulation.planting import Plant
from tests.unit.own_modules import ROOT


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_planted(fault: Plant) -> None:
    source = (ROOT / f"{fault.module.replace('.', '/')}.py").read_text(encoding="utf-8")
    compile(fault.planted(source), fault.module, "exec")


def test_a_fault_whose_place_is_gone_is_told() -> None:
    with pytest.raises(ValueError, match=r"head: .* has 'gone = dead_process\(known\)' 0 times"):
        FAULTS[0].planted("")
