"""Train on paper: an AP that follows from a trial's learning rate and epoch, on disk before it is reported."""

import math
from collections.abc import Iterator
from pathlib import Path

from orchestrator.worker_groups.trainable import TrialRunner
from trainers.schema import Job, TrialSpec
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, read_history, to_lines, write_outcome
from trainers.schema.stop import stop_requested

EPOCH_S = 36.0  # as records say: a hundredth of an hour


class PaperRunner(TrialRunner):
    """Keep the promises of the real loop without training anything."""

    def source(self, job: Job) -> Iterator[Record]:
        directory, part = Path(job.directory), job.trial.segment
        directory.mkdir(parents=True, exist_ok=True)
        history = read_history(directory)
        yield from history
        begin, end = (part.from_epoch, part.until_epoch) if part else (0, job.trial.schedule.epochs or 0)
        for epoch in range(begin + 1 + len(history), end + 1):
            if stop_requested(directory):
                return
            history.append(record(job.trial, epoch, final=epoch == end))
            (directory / HISTORY).write_text(to_lines(history))
            if epoch == end:
                write_outcome(directory, Outcome("finished"))
            yield history[-1]


def record(trial: TrialSpec, epoch: int, *, final: bool) -> Record:
    return Record(epoch, 10 * epoch, {SELECTION_METRIC: score(trial, epoch)}, {"time/train_s": EPOCH_S}, final=final)


def score(trial: TrialSpec, epoch: int) -> float:
    """Be best for a learning rate of 0.01; rise with the epochs; of curves some cross, and seeds differ."""
    far = abs(math.log10(trial.schedule.lr) + 2)
    noise = 0.1 * math.sin(1e5 * trial.schedule.lr * trial.seed)
    return round(0.5 - 0.2 * far + 0.02 * epoch * (1 + math.sin(1000 * trial.schedule.lr)) + noise, 6)
