"""Workers have the variables of a study in their environment, also where the driver is a Ray job with variables of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, os
from orchestrator.core.ray_environment import prepare
prepare(None)
import ray
from orchestrator.execution.ray_cluster import start_ray, stop_ray

start_ray(None, {"COLOUR": "green"})

@ray.remote
def task():
    return [os.environ.get(name) for name in ("COLOUR", "SHAPE")]

@ray.remote
class Actor:
    def found(self):
        return [os.environ.get(name) for name in ("COLOUR", "SHAPE")]

print(json.dumps([ray.get(task.remote()), ray.get(Actor.remote().found.remote())]))
stop_ray()
"""
JOB = {"runtime_env": {"env_vars": {"COLOUR": "red", "SHAPE": "round"}}, "metadata": {}}  # as Ray tells a job's driver


@pytest.mark.parametrize(
    ("job", "found"), [({}, ["green", None]), ({"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps(JOB)}, ["green", "round"])],
    ids=["alone", "in a job"],
)  # fmt: skip
def test_tasks_and_actors_have_the_studys_variables(job: dict[str, str], found: list[str | None]) -> None:
    cleared = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=cleared | job | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [found, found]
