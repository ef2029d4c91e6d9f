"""A process that stops making progress ends itself and says where it stood; one that makes some is left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, time
from pathlib import Path
import trainers.loop.watchdog as watchdog
watchdog.RENEW_EVERY_S = 0.05
dog = watchdog.Watchdog(Path(sys.argv[1]) / "stacks-0.txt", 0.6)

def where_it_hangs():
    time.sleep(60)

for _ in range(12):
    dog.alive()
    time.sleep(0.1)
if sys.argv[2] == "rest":
    dog.rest()
    time.sleep(1.0)
else:
    where_it_hangs()
"""


@pytest.mark.parametrize("then", ["hang", "rest"])
def test_only_a_process_that_hangs_is_ended(then: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path), then], cwd=ROOT, timeout=30, check=False)
    stacks = tmp_path / "stacks-0.txt"
    if then == "rest":
        assert done.returncode == 0
        assert not stacks.exists()
    else:
        assert done.returncode == 1
        assert "where_it_hangs" in stacks.read_text()
