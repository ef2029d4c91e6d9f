"""Read checkpoints that were made to hang, to crash or to fill the memory: each is refused or read within limits."""

from pathlib import Path

from tests.contract.hostile.bounded import outcomes, slowest
from tests.contract.hostile.checkpoints import CHOSEN


def test_hostile_checkpoints_are_read_within_limits(tmp_path: Path) -> None:
    reader = "tests.contract.hostile.readers:checkpoint"
    found = outcomes("tests.contract.hostile.checkpoints:all_cases", reader, tmp_path, 2000 + CHOSEN)
    print(slowest(found))
    assert found[0].said is None, "a whole one is read"
    assert CHOSEN >= 60
    assert all(one.said is not None for one in found[-CHOSEN:]), "none of the chosen ones holds weights"
