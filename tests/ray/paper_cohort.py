"""Stand for ``trainers.loop.loop`` in hosts: students that train on paper, side by side."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from tests.ray.noted import note_cohort
from tests.ray.paper import record
from tests.ray.scripted_cohort import Failed, Stopped  # noqa: F401  hosts ask for them
from trainers.schema import Job
from trainers.schema.record import HISTORY, Outcome, Record, read_history, to_lines, write_outcome
from trainers.schema.stop import stop_requested


class Student:
    """Hold one trial, which is at its next epoch."""

    def __init__(self, job: Job) -> None:
        self.job, self.directory = job, Path(job.directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.history = read_history(self.directory)
        part = job.trial.segment
        self.epoch = (part.from_epoch if part else 0) + len(self.history)
        self.until = part.until_epoch if part else job.trial.schedule.epochs or 0

    def train(self) -> Record:
        self.epoch += 1
        self.history.append(record(self.job.trial, self.epoch, final=self.epoch == self.until))
        (self.directory / HISTORY).write_text(to_lines(self.history))
        if self.epoch == self.until:
            write_outcome(self.directory, Outcome("finished"))
        return self.history[-1]


def train_together(
    jobs: Sequence[Job], active_trials: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[tuple[str, Record]]:
    """Train all students an epoch each, then ask who goes on."""
    students = [Student(job) for job in jobs]
    note_cohort(jobs)
    for student in students:
        yield from ((student.job.trial_id, found) for found in student.history)
    while students := [student for student in students if student.epoch < student.until]:
        stay = active_trials([student.job.trial_id for student in students])
        students = [one for one in students if one.job.trial_id in stay and not stop_requested(one.directory)]
        first = min((student.epoch for student in students), default=0)
        for student in [student for student in students if student.epoch == first]:
            yield student.job.trial_id, student.train()
