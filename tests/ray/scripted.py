"""Replay scripted records through Ray Tune, so that scheduling is tested in seconds and without torch."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.worker_groups.trainable import TrialRunner
from trainers.schema import Job
from trainers.schema.record import SELECTION_METRIC, Outcome, Record, read_history, to_lines, write_outcome
from trainers.schema.stop import stop_requested

COHORT_LOOP = "tests.ray.scripted_cohort"  # stands for trainers.loop.loop in hosts
SCRIPT = "script.json"  # in a trial's directory: its scores, and where it dies or fails


class TrialError(Exception):
    """Stand for ``trainers.errors.TrialError``, which runners know by name."""


class OutOfMemoryError(RuntimeError):
    """Stand for ``torch.OutOfMemoryError``, which is known by name."""


class ScriptedRunner(TrialRunner):
    """Take records from the trial's script, and keep the promises of the real loop: on disk first, replayed first."""

    def source(self, job: Job) -> Iterator[Record]:
        return super().source(job) if self._broker else scripted(job)


def scripted(job: Job) -> Iterator[Record]:
    """Yield the records of a trial's script."""
    directory = Path(job.directory)
    (directory / "pid-0").write_text(str(os.getpid()))
    script: dict[str, Any] = json.loads((directory / SCRIPT).read_text())
    history = read_history(directory)
    yield from history
    need_memory(job, script.get("memory"))
    for epoch in range(len(history) + 1, len(script["scores"]) + 1):
        misbehave(directory, script, epoch)
        history.append(record(script["scores"], epoch))
        (directory / "history.jsonl").write_text(to_lines(history))
        if history[-1].final:
            write_outcome(directory, Outcome("finished"))
        yield history[-1]
        ending = time.monotonic() + script.get("epoch_s", 0.0)
        while time.monotonic() < ending:
            if stop_requested(directory):
                return
            time.sleep(0.05)


def record(scores: list[float], epoch: int) -> Record:
    return Record(epoch, epoch * 10, {SELECTION_METRIC: scores[epoch - 1]}, final=epoch == len(scores))


def need_memory(job: Job, images: int | None) -> None:
    """Fail as a GPU with room for so many images does."""
    if images is not None and (job.placement.micro_batch or job.trial.schedule.batch_size) > images:
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def misbehave(directory: Path, script: dict[str, Any], epoch: int) -> None:
    """Die or fail before ``epoch``, as often as the script says."""
    lives = directory / "deaths"
    deaths = int(lives.read_text()) if lives.exists() else 0
    if epoch == script.get("dies_before") and deaths < script.get("deaths", 1):
        lives.write_text(str(deaths + 1))
        os._exit(9)
    if epoch == script.get("fails_before"):
        raise TrialError("the disk of the teacher is on fire")
