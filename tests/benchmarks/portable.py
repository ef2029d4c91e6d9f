"""Say what portable numbers cost: processor seconds of the quickstart's steps, with and without their variables.

``python -m tests.benchmarks.portable`` makes the steps of the teacher and of a student alone in processes of their own,
one with the variables and one without in turn, and prints the median ratio with the smallest and the largest.
"""

import os
import subprocess
import sys
import tempfile
import time
from statistics import median

from tests.benchmarks.startup import ROOT
from tests.unit.orchestrator.planning import plan_file
from trainers.schema import Job
from trainers.schema.portable import VARIABLES

STUDY = ROOT / "configs" / "studies" / "quickstart.yaml"
PAIRS, STEPS, WARM = 5, 12, 3


def main() -> None:
    """Print the table."""
    print("| steps | median ratio | smallest to largest | processor seconds a step |\n|---|---|---|---|")
    for role in ("teacher", "student"):
        pairs = [(timed(role, portable=True), timed(role, portable=False)) for _ in range(PAIRS)]
        ratios = sorted(portable / plain for portable, plain in pairs)
        sides = [median(side) for side in zip(*pairs, strict=True)]
        span = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"| {role} | {median(ratios):.2f} | {span} | {sides[0]:.3f} and {sides[1]:.3f} |", flush=True)


def timed(role: str, *, portable: bool) -> float:
    """Return the processor seconds of a step in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.portable", role, str(int(portable))]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | (VARIABLES if portable else {})
    )
    return float(done.stdout)


def seconds_of(role: str, *, portable: bool) -> float:
    """Return the processor seconds of a step in this process, without the first few."""
    from trainers.data.datasets import build_dataset
    from trainers.data.loaders import TrainStream
    from trainers.loop.loop import prepare_process
    from trainers.loop.shared_batch import SharedBatches
    from trainers.loop.student_trainer import StudentTrainer

    asked = job(role, tempfile.mkdtemp(), portable=portable)
    device = prepare_process(1, cuda=False, portable=portable)
    data = build_dataset(asked.trial.dataset, "train")
    stream = TrainStream(data, batch_size=2, seed=0, rank=0, world=1, loader_workers=0)
    shared = SharedBatches([asked], device)
    trainer = StudentTrainer(asked, stream.steps_per_epoch, device, shared.teacher)
    trainer.train_mode()
    began = 0.0
    for number, batch in zip(range(WARM + STEPS), stream.batches(0, 0), strict=False):
        if number == WARM:
            began = time.process_time()
        trainer.train_step(shared.begin(number, batch).chunks(asked.trial_id, trainer.student, asks_in="fp32"))
    return (time.process_time() - began) / STEPS


def job(role: str, directory: str, *, portable: bool) -> Job:
    """Return the quickstart's teacher or its student alone as a job of one thread."""
    plan = plan_file(STUDY)
    trial = next(trial for trial in plan.trials if trial.role == role and trial.spec.method.kind == "none")
    placement = plan.placement("student").model_copy(update={"portable": portable, "threads": 1})
    return Job(trial=trial.spec, trial_id=trial.id, directory=directory, placement=placement)


if __name__ == "__main__":
    if sys.argv[1:]:
        print(seconds_of(sys.argv[1], portable=sys.argv[2] == "1"))
    else:
        main()
