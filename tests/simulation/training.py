"""Train on paper: the product's own files, in the order in which a trainer writes them, and numbers that tell every step."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.worker_groups.trainable import TrialRunner
from tests.simulation.kernel import Process, Violation, active
from tests.simulation.primitives import TIME
from trainers.schema import Job
from trainers.schema.fence import set_fence
from trainers.schema.record import BEST, LAST, SELECTION_METRIC, Record, best_record, read_history, read_status
from trainers.schema.stop import clear_move, stop_requested
from trainers.state.checkpoints import TrialFiles

STEPS, EPOCHS = 2, 3  # steps of an epoch, epochs of a trial
STEP_S = 0.4


def weight_after(trial: str, step: int) -> int:
    """Return a student's weight after so many steps: a number that follows from each step before."""
    weight = zlib.crc32(trial.encode())
    for each in range(step):
        weight = zlib.crc32(f"{weight} {each}".encode())
    return weight


def score(trial: str, epoch: int) -> float:
    """Return the AP of a trial after an epoch."""
    return weight_after(trial, epoch * STEPS) % 1000 / 1000


class Board:
    """Hold who trains which trial at this moment."""

    def __init__(self) -> None:
        self.training: dict[str, list[Process]] = {}
        self.begun: dict[str, int] = {}  # the last step that was begun, by directory
        self.ray: Any = None  # of a world that has one
        self.world: Any = None
        self.client: Any = None  # of MLflow

    @contextmanager
    def at_work(self, directory: str) -> Iterator[None]:
        """Note that the present process trains a trial, for the length of a block."""
        me = active().me
        self.training.setdefault(directory, []).append(me)
        try:
            yield
        finally:
            self.training[directory].remove(me)

    def step(self, directory: str, step: int) -> None:
        """Note a violation where another process trains the trial, too, and nothing keeps it from writing."""
        me = active().me
        self.begun[directory] = max(step, self.begun.get(directory, 0))
        if _is_fenced_off(me, directory):  # it stood still, and notices when it writes
            return
        for other in self.training[directory]:
            if other is not me and other.alive and not _is_fenced_off(other, directory):
                active().violate(f"{Path(directory).name} is trained by {other.name} and {me.name} at once")


def _is_fenced_off(process: Process, directory: str) -> bool:
    fence = process.own.get("fences", {}).get(Path(directory))
    kernel = active()
    task, kernel.current = kernel.current, None
    try:
        return fence is not None and not fence.is_dir()
    finally:
        kernel.current = task


class Paper:
    """Hold one student that is trained on paper, with its files."""

    def __init__(self, job: Job) -> None:
        self.job, self.files = job, TrialFiles(job.directory)
        found = self.files.find()
        self.history = list(found.state.history) if found.state else []
        self.step = int(found.state.content["step"]) if found.state else 0
        self.weight = int(found.state.content["weight"]) if found.state else weight_after(job.trial_id, 0)
        self.files.take_up(found)
        best = best_record(self.history)
        self.files.check_best(found, self.student if best is not None and best.step == self.step else None)
        if self.history and self.history[-1].final:
            self.finish()

    @property
    def is_at_end(self) -> bool:
        return self.step == STEPS * EPOCHS

    def student(self) -> dict[str, Any]:
        return {"weight": self.weight, "meta": {"epoch": self.step // STEPS, "trial": self.job.trial_id}}

    def train(self) -> None:
        """Make one step."""
        active().board.step(self.job.directory, self.step + 1)
        TIME.sleep(active().chance.choice((STEP_S, STEP_S, 2 * STEP_S)))
        self.weight = zlib.crc32(f"{self.weight} {self.step}".encode())
        self.step += 1

    def save(self) -> None:
        """Keep the state in the midst of an epoch."""
        if self.step % STEPS:
            self.files.commit({"step": self.step, "weight": self.weight}, self.history)

    def close_epoch(self) -> Record:
        """Commit the epoch that has just ended and return its record."""
        epoch = self.step // STEPS
        metrics = {SELECTION_METRIC: self.weight % 1000 / 1000}
        record = Record(epoch, self.step, metrics, {"time/train_s": 1.0}, TIME.time(), final=self.is_at_end)
        self.history.append(record)
        best = self.student if best_record(self.history) is record else None
        self.files.commit({"step": self.step, "weight": self.weight}, self.history, best)
        if record.final:
            self.finish()
        return record

    def finish(self) -> None:
        self.files.save_student(LAST, self.student(), self.step)
        self.files.finish()


def trained(job: Job) -> Iterator[Record]:
    """Train one job in this process, as ``trainers.loop.loop.train`` does."""
    set_fence(job.directory, job.fence)
    if read_status(job.directory) == "finished":
        yield from read_history(job.directory)
        return
    with active().board.at_work(job.directory):
        paper = Paper(job)
        yield from list(paper.history)
        while not paper.is_at_end:
            if stop_requested(job.directory):
                paper.save()
                return
            paper.train()
            if paper.step % STEPS == 0:
                yield paper.close_epoch()


class PaperRunner(TrialRunner):
    """Run a trial as Tune's actor does, on paper where no host trains it."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.setup({"planned": told})  # not Tune's own: it makes folders and loggers

    def source(self, job: Job) -> Iterator[Record]:
        if self._broker:
            return super().source(job)
        clear_move(job.directory)
        return trained(job)


def require_student(directory: Path, trial: str) -> None:
    """Raise ``Violation`` where a finished trial has not the weights of an undisturbed training."""
    from tests.simulation.seams import read_state

    best = max(range(1, EPOCHS + 1), key=lambda epoch: (score(trial, epoch), -epoch))
    for name, epoch in ((BEST, best), (LAST, EPOCHS)):
        found = read_state(directory / name)
        wanted = {"weight": weight_after(trial, epoch * STEPS), "meta": {"epoch": epoch, "trial": trial}}
        if found != wanted:
            raise Violation(f"{trial}/{name} is {found}, undisturbed {wanted}")
