"""Prove that a training process goes without scikit-learn, and that others still find it."""

import subprocess
import sys

TRAINS = """
import sys
from trainers.compat.lean_imports import lean_imports
with lean_imports():
    import trainers.loop.loop
print(any(name.partition(".")[0] == "sklearn" for name in sys.modules))
import sklearn
"""


def test_mmdet_is_imported_without_what_it_can_do_without() -> None:
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", TRAINS], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False"]
