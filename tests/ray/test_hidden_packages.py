"""A user's own ``trainers`` and ``orchestrator`` hide ours from no process: not the driver, not the workers."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUDY = """
name: scripted
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 2, policy: {kind: constant}}
search: {seeds: [0, 1]}
"""
SCRIPT = """
import json, pathlib, sys
from stillhouse import Study
from orchestrator.core.ray_environment import prepare
prepare(None)
from orchestrator.execution.ray_cluster import start_ray, stop_ray
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.tune import run_trials
from tests.ray.scripted import ScriptedRunner

plan = Study.load("study.yaml").plan("runs")
for trial in plan.students:
    trial.directory.mkdir(parents=True)
    (trial.directory / "script.json").write_text(json.dumps({"scores": [0.1, 0.2]}))
start_ray(None)
run_trials(Sweep(plan), plan.students, [], pathlib.Path("tune").absolute(), ScriptedRunner)
stop_ray()
print([trial.status for trial in Study.load("study.yaml").plan("runs").students])
"""


def strangers_in(folder: Path) -> None:
    """Write packages of a stranger, under names of ours; the import of one is an error."""
    for name in ("orchestrator", "trainers"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('a package of a stranger')")


def test_a_study_runs_from_a_script_beside_such_folders_which_are_on_the_path_too(tmp_path: Path) -> None:
    strangers_in(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "script.py").write_text(SCRIPT)
    cleared = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_"))}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=cleared | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["['finished', 'finished']"]), done.stderr
