"""Measure how long a trial's resources outlive the decision to end it; one process for each set-up.

``python -m tests.ray.release_times WORKERS EVENT [--dashboard] [--second-ray] [--times N]`` prints one JSON object: seconds
from the decision until placement groups, actors and worker processes are gone, once for each repetition.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from orchestrator.core.processes import Process, descendants, processes
from trainers.schema.record import Outcome, write_outcome

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
EPOCHS = 6
# Idle workers, and what Ray runs once for a cluster, however many trials there are: none of it reserves a CPU.
RAYS_OWN = ("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnvAgent", "ray::_AutoscalingCoordinatorActor")
EVENTS = ("stop", "exception", "kill", "interrupt")
STUDY = """
name: released
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 6, batch_size: 4, policy: {kind: constant}}
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
            write_outcome(self._directory, Outcome("failed", "killed"))  # so that it does not start all over again

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
    import orchestrator.execution.tune as tune
    from orchestrator.core.store import Store
    from orchestrator.execution.sweep import Sweep
    from orchestrator.plan.machine import Machine
    from orchestrator.plan.plan import make_plan
    from orchestrator.study.load import load_study
    from tests.ray.scripted import COHORT_LOOP, SCRIPT, ScriptedRunner

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
        tune.make_scheduler = stop_after_two_epochs  # type: ignore[attr-defined]
    decisions = Decisions(watch, event, trial.directory)
    tune.run_trials(Sweep(plan), plan.students, [decisions], folder / "tune", ScriptedRunner, loop=COHORT_LOOP)
    seconds = watch.result()
    if seconds is None:
        print("left:", watch.left, file=sys.stderr)
    return seconds


def measure_interruption(workers: int, folder: Path, address: str | None) -> tuple[float, float]:
    """Interrupt a driver once, while a trial is in the midst of an epoch.

    Return the seconds until the trial's actors and workers are gone, and until the command and its own Ray are gone too.
    """
    folder.mkdir()
    command = [
        sys.executable,
        "-m",
        "tests.ray.interrupted",
        str(folder),
        str(workers),
        *([address] if address else []),
    ]
    driver = subprocess.Popen(command, start_new_session=True, cwd=ROOT)
    await_epoch(folder, 2, driver)
    time.sleep(0.5)
    everything = {process.identity: process.title for process in processes() if is_of(process, driver, folder)}
    trial = {key for key, title in everything.items() if title.startswith("ray::") and not title.startswith(RAYS_OWN)}
    began = time.monotonic()
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: the whole foreground group hears of Ctrl-C
    seconds = await_end(trial) - began, await_end(set(everything)) - began
    assert driver.wait() == 130
    return seconds


def await_end(identities: set[str]) -> float:
    """Wait until none of these processes is there; return when that was."""
    giving_up = time.monotonic() + PATIENCE_S
    while left := {process.identity for process in processes()} & identities:
        assert time.monotonic() < giving_up, left
        time.sleep(0.02)
    return time.monotonic()


def is_of(process: Process, driver: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """Tell whether a process exists because of the driver: it, its children, and workers in a cluster of others."""
    family = {one.pid for one in descendants(driver.pid)} | {driver.pid}
    pids = {path.read_text() for path in folder.glob("store/trials/*/pid-*")}
    return process.pid in family or str(process.pid) in pids


def await_epoch(folder: Path, epoch: int, driver: "subprocess.Popen[bytes]") -> None:
    """Wait until a trial has written the record of ``epoch``."""
    while not any(path.read_text().count("\n") >= epoch for path in folder.glob("store/trials/*/history.jsonl")):
        assert driver.poll() is None, f"the driver ended with {driver.returncode}"
        time.sleep(0.05)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("workers", type=int)
    arguments.add_argument("event", choices=EVENTS)
    arguments.add_argument("--dashboard", action="store_true")
    arguments.add_argument("--second-ray", action="store_true", help="with another Ray on this machine")
    arguments.add_argument("--times", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, another_ray() if given.second_ray else nullcontext():
        places = [Path(folder) / str(count) for count in range(given.times)]
        found = interruptions(given, places) if given.event == "interrupt" else others(given, places)
    print(json.dumps({**vars(given), "seconds": found}))


@contextmanager
def another_ray() -> Iterator[None]:
    """Run a second Ray, of somebody else, on this machine."""
    code = "import ray; ray.init('local', num_cpus=1, include_dashboard=False); print('up', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        while other.stdout.readline().strip() != b"up":
            assert other.poll() is None
        yield
        other.communicate(b"\n")


def interruptions(given: argparse.Namespace, places: list[Path]) -> list[tuple[float, float]]:
    """Measure interruptions of drivers with a Ray of their own."""
    return [measure_interruption(given.workers, place, None) for place in places]


def others(given: argparse.Namespace, places: list[Path]) -> list[float | None]:
    """Measure in one Ray what ends a trial while the sweep goes on."""
    from orchestrator.core import ray_environment

    os.environ["PYTHONPATH"] = str(ROOT)
    ray_environment.prepare(None)
    import ray

    from orchestrator.execution.ray_cluster import stop_ray

    ray.init("local", num_cpus=2, include_dashboard=given.dashboard, log_to_driver=False, logging_level="ERROR")
    found = [measure(given.workers, given.event, place) for place in places]
    stop_ray()
    return found


if __name__ == "__main__":
    main()
