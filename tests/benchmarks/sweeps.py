"""Time whole sweeps: a cohort against trials that are run apart, and what Stillhouse itself spends on a trial."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.figure import Measured, Setting
from tests.benchmarks.pairs import Clock, interleave, median

ROOT = Path(__file__).resolve().parents[2]
MEMBERS, HOSTS, SIDE_BY_SIDE = 200, 2, 8
RATES = [0.001, 0.002, 0.003, 0.004]
# The quickstart's data, detectors and batch; two epochs, so that five pairs take minutes and not an hour.
STUDY = """
base: stillhouse::studies/quickstart.yaml
name: timed
teacher: {schedule: {epochs: 1, val_interval: 1}}
schedule: {epochs: 2}
search: {space: {}, baseline: false}
scaling: {max_concurrent: 1}
"""
EMPTY = """
name: empty
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 2, policy: {kind: constant}}
"""


def against_runs_apart(setting: Setting) -> Measured:
    """Run four students as one cohort, and each by a command of its own; the teacher is there, as in any second run."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "study.yaml").write_text(STUDY)
        stillhouse(place, "teacher", [RATES[0] / 2], 1)
        found = interleave(
            lambda: stillhouse(place, "ours", RATES, 4),
            lambda: [stillhouse(place, "theirs", [rate], 1) for rate in RATES],
            setting.pairs,
            Clock(setting.device),  # of commands: their processor time is not this process's
            warm_up=0,
        )
    times = f"{median(found.ours):.0f} s and {median(found.theirs):.0f} s"
    return Measured(found.ratios, f"quickstart's sizes, 2 epochs, {times}, {len(found.ours)} pairs")


def stillhouse(place: Path, name: str, rates: list[float], cohort: int) -> None:
    """Train students of these learning rates in a store that holds the teacher only."""
    store = place / name
    if name != "teacher":
        subprocess.run(["rm", "-rf", str(store)], check=True)
        subprocess.run(["cp", "-r", str(place / "calm"), str(store)], check=True)
    sets = [f"search.space={{schedule.lr: {rates}}}", f"search.cohort={cohort}"]
    options = [item for text in sets for item in ("--set", text)]
    command = [sys.executable, "-m", "orchestrator.cli", "run", str(place / "study.yaml"), "--store", str(store)]
    subprocess.run([*command, *options], check=True, cwd=ROOT, capture_output=True)
    if name == "teacher":
        keep_teacher(store, place / "calm")


def keep_teacher(store: Path, calm: Path) -> None:
    """Make a store that holds the trained teacher and no student."""
    teacher = max((store / "trials").iterdir(), key=lambda path: (path / "best.pth").stat().st_size)
    (calm / "trials").mkdir(parents=True)
    subprocess.run(["cp", "-r", str(teacher), str(calm / "trials")], check=True)


def own_time(setting: Setting) -> Measured:
    """Send students that train nothing through a sweep; what is left is Stillhouse's, Tune's and Ray's own time."""
    seconds = [sweep_seconds() for _ in range(setting.pairs)]
    note = f"{MEMBERS} students that train nothing, two epochs each; {HOSTS} hosts, {SIDE_BY_SIDE} side by side, {setting.pairs} sweeps"
    return Measured([value / MEMBERS for value in seconds], note)


def sweep_seconds() -> float:
    """Return how long a sweep of trivial students takes, in a process and a Ray of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.sweeps"]
    return float(subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    """Run one sweep of trivial students and print its seconds, Ray's own start left out."""
    from dataclasses import replace

    from orchestrator.core import ray_environment
    from orchestrator.core.store import Store
    from orchestrator.plan.plan import make_plan
    from orchestrator.study.load import load_study

    ray_environment.prepare(None)
    from orchestrator.execution.ray_cluster import start_ray, stop_ray
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials
    from tests.ray.scripted import COHORT_LOOP, SCRIPT, ScriptedRunner

    rates = [0.0001 * (1 + number) for number in range(MEMBERS)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "study.yaml").write_text(EMPTY)
        sets = [f"search.space={{schedule.lr: {rates}}}", f"search.cohort={SIDE_BY_SIDE}"]
        plan = make_plan(load_study(place / "study.yaml", sets), Store(place / "store"))
        plan = replace(plan, resources=replace(plan.resources, concurrent=HOSTS))
        script: dict[str, Any] = {"scores": [0.1, 0.2]}
        for trial in plan.students:
            trial.directory.mkdir(parents=True)
            (trial.directory / SCRIPT).write_text(json.dumps(script))
        start_ray(None)
        began = time.monotonic()
        run_trials(Sweep(plan), plan.students, [], place / "tune", ScriptedRunner, loop=COHORT_LOOP)
        seconds = time.monotonic() - began
        stop_ray()
    print(seconds)


if __name__ == "__main__":
    main()
