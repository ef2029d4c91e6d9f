"""Be a driver that is interrupted: ``python -m tests.ray.interrupted FOLDER WORKERS [ADDRESS]`` runs two scripted trials.

Exit code 130 after an interruption, as ``stillhouse run`` has; the parent decides when to send which signal.
"""

import json
import os
import sys
from pathlib import Path

from orchestrator.core import ray_environment
from tests.ray.release_times import EPOCHS, ROOT, STUDY


def main(folder: Path, workers: int, address: str | None) -> int:
    os.environ["PYTHONPATH"] = str(ROOT)
    ray_environment.prepare(address)
    from orchestrator.core.store import Store
    from orchestrator.execution.ray_cluster import start_ray, stop_ray
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials
    from orchestrator.plan.machine import Machine
    from orchestrator.plan.plan import make_plan
    from orchestrator.study.load import load_study
    from tests.ray.scripted import COHORT_LOOP, SCRIPT, ScriptedRunner

    (folder / "study.yaml").write_text(STUDY)
    sets = [f"scaling.workers={workers}", "scaling.max_concurrent=1", "search.seeds=[0, 1]"]
    plan = make_plan(load_study(folder / "study.yaml", sets), Store(folder / "store"), Machine(2, 0))
    for trial in plan.students:
        trial.directory.mkdir(parents=True, exist_ok=True)
        (trial.directory / SCRIPT).write_text(json.dumps({"scores": [0.1] * EPOCHS, "epoch_s": 2.0}))
    start_ray(address)
    try:
        run_trials(Sweep(plan), plan.students, [], folder / "tune", ScriptedRunner, loop=COHORT_LOOP)
    except KeyboardInterrupt:
        return 130
    finally:
        stop_ray()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
