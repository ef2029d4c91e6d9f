"""Read checkpoints that were made to hang, to crash or to fill the memory: each is refused or read within limits."""

from pathlib import Path

from tests.contract.hostile.bounded import outcomes, slowest
from tests.contract.hostile.checkpoints import ARCHIVES, PAYLOADS

GENERATOR = "tests.contract.hostile.checkpoints"
READER = "tests.contract.hostile.readers:checkpoint"
CHOSEN = 1 + 2 * len(PAYLOADS) + len(ARCHIVES)


def test_chosen_checkpoints_are_read_within_limits(tmp_path: Path) -> None:
    found = outcomes(f"{GENERATOR}:all_chosen", READER, tmp_path, CHOSEN)
    print(slowest(found))
    assert len(found) >= 60
    assert sum(one.said is None for one in found) == 1, "only the whole one has weights"


def test_checkpoints_of_random_opcodes_are_read_within_limits(tmp_path: Path) -> None:
    found = outcomes(f"{GENERATOR}:cases", READER, tmp_path, 2000)
    print(slowest(found))
    assert found[0].said is None
