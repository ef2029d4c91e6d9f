"""Time ``plan`` and ``compare`` of ten thousand trials against ten times a thousand: what a trial costs must not grow."""

import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.study.load import load_study
from tests.benchmarks.figure import Measured, Setting
from tests.benchmarks.pairs import interleave, median
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

ROOT = Path(__file__).resolve().parents[2]
MANY, FEW = 57, 18  # values of each alpha: 9,751 and 976 trials with three seeds, the students alone and the teacher
EPOCHS = 6


def plan(setting: Setting) -> Measured:
    """Plan a grid of trials, none of which has begun."""
    return _measured("plan", setting, run=False)


def compare(setting: Setting) -> Measured:
    """Compare the trials of a grid, all of which have been trained."""
    return _measured("compare", setting, run=True)


def _measured(verb: str, setting: Setting, *, run: bool) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        many, few = (_study(Path(folder), values) for values in (MANY, FEW))
        counts = [_fill(study, run=run) for study in (many, few)]
        found = interleave(lambda: _command(verb, many), lambda: _command(verb, few), setting.pairs, setting.clock)
    times = f"{median(found.ours):.2f} s and {median(found.theirs):.2f} s"
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    note = f"{counts[0]} and {counts[1]} trials, {times}, at most {peak:.0f} MiB, {len(found.ours)} pairs"
    return Measured([ratio * counts[1] / counts[0] for ratio in found.ratios], note)


def _study(folder: Path, values: int) -> Path:
    """Write the quickstart with a grid of ``values`` x ``values`` loss weights and three seeds."""
    alphas = [round(0.01 * number, 2) for number in range(1, values + 1)]
    search = {"space": {"method.alpha1": alphas, "method.alpha2": alphas}, "seeds": [0, 1, 2], "cohort": 1}
    path = folder / f"grid{values}.yaml"
    path.write_text(f"base: stillhouse::studies/quickstart.yaml\nsearch: {json.dumps(search)}\n")
    return path


def _fill(study: Path, *, run: bool) -> int:
    """Leave what finished trials leave in the store beside a study, where ``run`` says so; return how many there are."""
    trials = make_plan(load_study(study), Store(study.with_suffix(""))).trials
    drawn = random.Random(0)
    for trial in trials if run else ():
        trial.directory.mkdir(parents=True)
        (trial.directory / HISTORY).write_text(to_lines(list(_history(drawn.uniform(0.2, 0.4)))))
        write_outcome(trial.directory, Outcome("finished"))
    return len(trials)


def _history(best: float) -> Iterator[Record]:
    for epoch in range(1, EPOCHS + 1):
        score = best * epoch / EPOCHS
        metrics = {"coco/bbox_mAP": score, "coco/bbox_mAP_50": 1.5 * score, "loss/bckd-cls": 1 / epoch}
        yield Record(epoch, 80 * epoch, metrics, {"train_s": 2.0}, 1.79e9 + epoch, final=epoch == EPOCHS)


def _command(verb: str, study: Path) -> None:
    command = [sys.executable, "-m", "orchestrator.cli", verb, str(study), "--store", str(study.with_suffix(""))]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
