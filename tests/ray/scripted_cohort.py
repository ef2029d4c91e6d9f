"""Stand for ``trainers.loop.loop`` in hosts: students that follow their scripts side by side, and train nothing."""

import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, get_rank

from tests.ray.scripted import SCRIPT, misbehave, need_memory, record
from trainers.schema import Job
from trainers.schema.record import Outcome, Record, read_history, to_lines, write_outcome
from trainers.schema.stop import stop_requested


@dataclass(frozen=True)
class Failed:
    error: Exception


@dataclass(frozen=True)
class Stopped:
    pass


class Student:
    """Hold one trial that follows its script."""

    def __init__(self, job: Job) -> None:
        self.job, self.directory = job, Path(job.directory)
        self.script: dict[str, Any] = json.loads((self.directory / SCRIPT).read_text())
        self.history = read_history(self.directory)
        (self.directory / f"pid-{get_rank()}").write_text(str(os.getpid()))

    @property
    def epoch(self) -> int:
        return len(self.history)

    @property
    def over(self) -> bool:
        return self.epoch == len(self.script["scores"])

    def train(self) -> Record:
        need_memory(self.job, self.script.get("memory"))
        if get_rank() == 0:
            misbehave(self.directory, self.script, self.epoch + 1)
        self.history.append(record(self.script["scores"], self.epoch + 1))
        if get_rank() == 0:
            (self.directory / "history.jsonl").write_text(to_lines(self.history))
            if self.over:
                write_outcome(self.directory, Outcome("finished"))
        return self.history[-1]


def train_together(
    jobs: Sequence[Job], active_trials: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[tuple[str, Record | Failed | Stopped]]:
    """Train all students an epoch each, then ask who goes on."""
    students = [Student(job) for job in jobs]
    names = " ".join(job.trial_id for job in jobs)
    if get_rank() == 0:
        for student in students:
            with (student.directory / "cohorts").open("a") as file:
                file.write(names + "\n")
    for student in students:
        yield from ((student.job.trial_id, found) for found in student.history)
    epoch = min(student.epoch for student in students)
    while students := [student for student in students if not student.over]:
        stay = active_trials([student.job.trial_id for student in students])
        students = [student for student in students if student.job.trial_id in stay]
        for stopped in worked(students):
            students.remove(stopped)
            yield stopped.job.trial_id, Stopped()
        for student in [student for student in students if student.epoch == epoch]:
            try:
                yield student.job.trial_id, student.train()
            except Exception as error:
                if len(jobs) == 1:
                    raise
                students.remove(student)
                yield student.job.trial_id, Failed(error)
        epoch += 1


def worked(students: list[Student]) -> list[Student]:
    """Spend an epoch's time in short steps; return those that were asked to stop."""
    ending = time.monotonic() + max((student.script.get("epoch_s", 0.0) for student in students), default=0.0)
    stopped: list[Student] = []
    while len(stopped) < len(students):
        asked = [[stop_requested(student.directory) for student in students]]
        broadcast_object_list(asked, src=0)
        stopped = [student for student, flag in zip(students, asked[0], strict=True) if flag]
        over = [time.monotonic() >= ending]
        broadcast_object_list(over, src=0)
        if over[0]:
            break
        time.sleep(0.05)
    return stopped
