"""The check for GPUs runs to its end where there is none, with nothing of the project but ``trainers`` and ``tests``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.gpu_check import check
from tests.benchmarks.gpu_check.parts import PARTS, Part

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("orchestrator", "dashboards", "stillhouse", "ray", "mlflow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def test_a_part_that_does_not_end_is_ended() -> None:
    found = check.part_record(Part("step", "never", 1, 1, "step_ratio"), "cpu", 0.05)
    assert found["state"] == check.STOPPED
    assert found["not_run"] is None  # it did not come to the names of its rows
    assert found["rows"] == []


def test_a_part_that_fails_says_why() -> None:
    found = check.part_record(Part("no such part", "fails", 1, 1, "none"), "cpu", 600.0)
    assert found["state"] == check.FAILED
    assert "ValueError" in found["why"]


@pytest.mark.timeout(3000)
@pytest.mark.slow
def test_all_of_it_runs_at_toy_size_without_ray_and_mlflow(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "tests.benchmarks.gpu_check", "--device", "cpu", "--seconds", "6000"]
    output = ["--output", str(tmp_path / "found.json")]
    ran = subprocess.run(
        [*command, *output],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    parts = json.loads((tmp_path / "found.json").read_text())["parts"]
    assert [(part["name"], part["state"], part["not_run"]) for part in parts] == [
        (part.name, check.COMPLETE, []) for part in PARTS
    ]
    assert all(part["rows"] for part in parts)
    equality = parts[-1]["rows"]
    assert {row["difference"] for row in equality} == {0.0}  # on a CPU all bits are equal
