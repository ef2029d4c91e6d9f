"""Measure how long a trial's resources outlive the decision to end it; one process for each set-up.

``python -m tests.ray.release_times WORKERS EVENT [--dashboard] [--times N]`` prints one JSON object: seconds from the
decision until placement groups, actors and worker processes are gone, once for each repetition.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from orchestrator.processes import descendants

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
EPOCHS = 12
# Idle workers, and what Ray runs once for a cluster, however many trials there are: none of it reserves a CPU.
RAYS_OWN = ("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnvAgent", "ray::_AutoscalingCoordinatorActor")
EVENTS = ("stop", "exception", "kill")
STUDY = """
name: released
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 12, batch_size: 4, policy: {kind: constant}}
"""


def held() -> set[str]:
    """Return what is held now: placement groups, and processes with an actor or a task, each by its identity."""
    from ray.util import placement_group_table

    groups = {
        f"{key} {group['state']}" for key, group in placement_group_table().items() if group["state"] != "REMOVED"
    }
    workers = [process for process in descendants(os.getpid()) if process.title.startswith("ray::")]
    busy = {f"{process.identity} {process.title}" for process in workers if not process.title.startswith(RAYS_OWN)}
    return groups | busy


class Stopwatch:
    """Take the time from ``decide`` until nothing is there any more of what was held then."""

    def __init__(self) -> None:
        self.decided = 0.0
        self.seconds: float | None = None
        self.left: set[str] = set()
        self._thread = threading.Thread(target=self._wait, daemon=True)

    def decide(self) -> None:
        if not self.decided:
            self.left, self.decided = held(), time.monotonic()
            self._thread.start()

    def result(self) -> float | None:
        self._thread.join(PATIENCE_S + 5)
        return self.seconds

    def _wait(self) -> None:
        while time.monotonic() - self.decided < PATIENCE_S:
            self.left &= held()
            if not self.left:
                self.seconds = time.monotonic() - self.decided
                return
            time.sleep(0.02)


class Decisions:
    """Watch a sweep, and start the stopwatch when the trial's fate is decided."""

    def __init__(self, watch: Stopwatch, event: str, directory: Path) -> None:
        self._watch, self._event, self._directory = watch, event, directory

    def started(self, trial_id: str) -> None:
        pass

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        if self._event == "exception" and result["done"]:
            self._watch.decide()
        if self._event == "kill" and result["epoch"] == 2 and not self._watch.decided:
            pid = next(self._directory.glob("pid-*")).read_text()
            self._watch.decide()
            os.kill(int(pid), signal.SIGKILL)

    def ended(self, trial_id: str) -> None:
        self._watch.decide()


def stop_after_two_epochs(*_: Any) -> Any:
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler

    class Impatient(FIFOScheduler):
        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            return TrialScheduler.STOP if result["epoch"] == 2 else TrialScheduler.CONTINUE

    return Impatient()


def measure(workers: int, event: str, folder: Path) -> float | None:
    """Run one trial, end it in its midst, and return how long it held on to anything."""
    import orchestrator.sweep as sweep
    from orchestrator.machine import Machine
    from orchestrator.plan import make_plan
    from orchestrator.store import Store
    from orchestrator.study.load import load_study
    from tests.ray.scripted import SCRIPT, ScriptedGroupRunner, ScriptedRunner

    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY)
    plan = make_plan(
        load_study(folder / "study.yaml", [f"scaling.workers={workers}"]), Store(folder / "store"), Machine(2, 0)
    )
    [trial] = plan.students
    trial.directory.mkdir(parents=True)
    script: dict[str, Any] = {"scores": [0.1] * EPOCHS, "epoch_s": 0.3}
    if event == "exception":
        script["fails_before"] = 3
    (trial.directory / SCRIPT).write_text(json.dumps(script))
    watch = Stopwatch()
    if event == "stop":
        sweep.make_scheduler = stop_after_two_epochs
    runner = ScriptedRunner if workers == 1 else ScriptedGroupRunner
    sweep.run_trials(plan, plan.students, [Decisions(watch, event, trial.directory)], folder / "tune", runner)
    seconds = watch.result()
    if seconds is None:
        print("left:", watch.left, file=sys.stderr)
    return seconds


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("workers", type=int)
    arguments.add_argument("event", choices=EVENTS)
    arguments.add_argument("--dashboard", action="store_true")
    arguments.add_argument("--times", type=int, default=5)
    given = arguments.parse_args()
    from orchestrator import ray_environment

    os.environ["PYTHONPATH"] = str(ROOT)
    ray_environment.prepare(None)
    import ray

    from orchestrator.sweep import stop_ray

    ray.init("local", num_cpus=2, include_dashboard=given.dashboard, log_to_driver=False, logging_level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(given.workers, given.event, Path(folder) / str(count)) for count in range(given.times)]
    print(json.dumps({"workers": given.workers, "event": given.event, "dashboard": given.dashboard, "seconds": found}))
    stop_ray()


if __name__ == "__main__":
    main()
