"""Say where the seconds go between ``stillhouse run`` and a trial's first step.

``python -m tests.benchmarks.startup`` begins the quickstart in empty stores, and takes its stages apart in
processes of their own: each once to warm the page cache, then three times.
"""

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.unit.orchestrator.planning import plan_file
from trainers.schema import Job, TrialSpec

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "configs" / "studies" / "quickstart.yaml"
RUNS = 3
DRIVER = """
import orchestrator.core.ray_environment as environment
environment.prepare(None)
import orchestrator.execution.tune
note("driver: import Ray, Tune and the orchestrator")
orchestrator.execution.tune.start_ray(None)
note("driver: start Ray on this machine")
import ray
class Worker:
    def answer(self):
        return 0
ray.get(ray.remote(Worker).remote().answer.remote())
note("Ray: start a worker's process")
import mlflow.tracking
note("driver: import MLflow (beside the above)")
ray.shutdown()
"""
WORKER = """
import torch
note("worker: import torch")
from trainers.compat.lean_imports import lean_imports
with lean_imports():
    import trainers.loop.loop
note("worker: import mmdet and the rest")
import tempfile
from tests.benchmarks.startup import quickstart_job
from trainers.data.loaders import TrainStream
from trainers.data.datasets import build_dataset
from trainers.loop.shared_batch import SharedBatches
from trainers.loop.student_trainer import StudentTrainer
job = quickstart_job(tempfile.mkdtemp())
note(None)
device = trainers.loop.loop.prepare_process(job.placement.threads, False)
data = build_dataset(job.trial.dataset, "train")
stream = TrainStream(data, batch_size=2, seed=0, rank=0, world=1, loader_workers=0)
note("worker: build the data set")
shared = SharedBatches([job], device)
note("worker: build the teacher")
trainer = StudentTrainer(job, stream.steps_per_epoch, device, shared.teacher)
trainer.train_mode()
note("worker: build the student")
batches = enumerate(stream.batches(0, 2))
def step():
    number, batch = next(batches)
    trainer.train_step(shared.begin(number, batch).chunks(job.trial_id, trainer.student, asks_in="fp32"))
step()
note("worker: the first step, probed")
step()
note("worker: the second step, for comparison")
"""
NOTE = """
import json, time, warnings
warnings.simplefilter("ignore")
began, found = time.perf_counter(), {}
def note(stage):
    global began
    if stage:
        found[stage] = time.perf_counter() - began
    began = time.perf_counter()
"""


def main() -> None:
    """Print the table."""
    stages: dict[str, list[float]] = {}
    for number in range(RUNS + 1):
        for stage, seconds in one_run().items():
            if number:
                stages.setdefault(stage, []).append(seconds)
    print("| stage | seconds |\n|---|---|")
    for stage, values in stages.items():
        print(f"| {stage} | {statistics.median(values):.2f} |")


def one_run() -> dict[str, float]:
    """Return the seconds of each stage, and of the whole."""
    command = [sys.executable, "-m", "orchestrator.cli"]
    found = {
        "`stillhouse --help`": timed([*command, "--help"]),
        "`stillhouse check`": timed([*command, "check", str(STUDY)]),
    }
    return (
        found
        | staged(DRIVER)
        | staged(WORKER)
        | {"`stillhouse run` to the first step (the teacher's)": to_first_step(command)}
    )


def timed(command: list[str]) -> float:
    """Return how long a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - began


def staged(code: str) -> dict[str, float]:
    """Run code that notes its stages in a process of its own."""
    script = f"{NOTE}{code}\nprint(json.dumps(found))"
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    stages: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return stages


def to_first_step(command: list[str]) -> float:
    """Return the seconds from the command's start to the first progress that a trial shows; then interrupt it."""
    with tempfile.TemporaryDirectory() as store:
        tracking = f"--set=tracking.uri=sqlite:///{store}/mlflow.db"
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, "run", str(STUDY), "--store", store, tracking],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        ) as process:
            while process.poll() is None and not any(Path(store).rglob("progress.json")):
                time.sleep(0.02)
            seconds = time.perf_counter() - began
            process.send_signal(signal.SIGINT)
        return seconds


def quickstart_job(folder: str) -> Job:
    """Return a student of the quickstart, with a teacher of random weights."""
    plan = plan_file(STUDY, store=Path(folder))
    job = next(plan.job(student) for student in plan.students if student.spec.teacher is not None)
    trial = job.trial.model_dump()
    trial["teacher"]["weights"] = None
    return job.model_copy(update={"trial": TrialSpec.model_validate(trial), "directory": folder})


if __name__ == "__main__":
    main()
