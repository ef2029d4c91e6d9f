"""Take the driver's own CPU time for a trial: Stillhouse's, apart from what Tune needs for trials that do nothing."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.figure import Measured, Setting

ROOT = Path(__file__).resolve().parents[2]
MANY, FEW = 1000, 250  # trials: what one costs must not grow with the others
AIM_S = 0.020
EMPTY = """
name: nothing
dataset: {kind: shapes, train_images: 8}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 2, batch_size: 4, policy: {kind: constant}}
"""


def own_time(setting: Setting) -> Measured:
    """Compare the driver's time for a trial with the aim, in ``MANY`` trials."""
    found = [(seconds("ours", MANY), seconds("tune", MANY)) for _ in range(setting.pairs)]
    few = seconds("ours", FEW), seconds("tune", FEW)
    each = [1000 * sum(values) / len(found) / MANY for values in zip(*found, strict=True)]
    own_few = 1000 * (few[0] - few[1]) / FEW
    note = (
        f"{MANY} trials that do nothing: {each[0]:.1f} ms of CPU each in the driver, {each[1]:.1f} ms in Tune's alone; "
        f"of {FEW} trials the difference is {own_few:.1f} ms each"
    )
    return Measured([(ours - tunes) / MANY / AIM_S for ours, tunes in found], note)


def seconds(what: str, count: int) -> float:
    """Return the CPU seconds of a driver's process for ``count`` trials, between the start of Ray and its end."""
    command = [sys.executable, "-m", "tests.benchmarks.driver", what, str(count)]
    return float(subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.split()[-1])


def ours(count: int, place: Path) -> float:
    """Send trials that train nothing through a sweep."""
    from orchestrator.core.store import Store
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials
    from orchestrator.plan.plan import make_plan
    from orchestrator.study.load import load_study
    from tests.ray.scripted import SCRIPT, ScriptedRunner

    rates = "".join(f"\n    - {0.000001 * (1 + number):.6f}" for number in range(count))
    (place / "study.yaml").write_text(f"{EMPTY}search:\n  space:\n    schedule.lr:{rates}\n")
    plan = make_plan(load_study(place / "study.yaml"), Store(place / "store"))
    script: dict[str, Any] = {"scores": [0.1, 0.2]}
    for trial in plan.students:
        trial.directory.mkdir(parents=True)
        (trial.directory / SCRIPT).write_text(json.dumps(script))
    began = time.process_time()
    run_trials(Sweep(plan), plan.students, [], place / "tune", ScriptedRunner)
    return time.process_time() - began


def tunes(count: int, place: Path) -> float:
    """Send as many trials of a class that reports twice through Tune itself, which asks for two at a time as ours does."""
    from ray import tune
    from ray.tune.search import ConcurrencyLimiter, Searcher

    class Counting(Searcher):
        given = 0

        def suggest(self, trial_id: str) -> Any:
            self.given += 1
            return {"number": self.given} if self.given <= count else Searcher.FINISHED

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            return

        def save(self, checkpoint_path: str) -> None:
            return

        def restore(self, checkpoint_path: str) -> None:
            return

    class Nothing(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.epoch = 0

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.epoch = 0
            return True

        def step(self) -> dict[str, Any]:
            self.epoch += 1
            return {"epoch": self.epoch, "score": 0.1 * self.epoch, "done": self.epoch == 2}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            return

        def load_checkpoint(self, checkpoint: Any) -> None:
            return

    began = time.process_time()
    tune.Tuner(
        tune.with_resources(Nothing, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            metric="score", mode="max", reuse_actors=True, num_samples=-1, search_alg=ConcurrencyLimiter(Counting(), 2)
        ),
        run_config=tune.RunConfig(
            storage_path=str(place),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        ),
    ).fit()
    return time.process_time() - began


def main() -> None:
    """Run one sweep, and print the CPU seconds of this process for it."""
    from orchestrator.core import ray_environment

    what, count = sys.argv[1], int(sys.argv[2])
    ray_environment.prepare(None)
    from orchestrator.execution.ray_cluster import start_ray, stop_ray

    with tempfile.TemporaryDirectory() as folder:
        start_ray(None)
        found = (ours if what == "ours" else tunes)(count, Path(folder))
        stop_ray()
    print(found)


if __name__ == "__main__":
    main()
