"""Train for real in hosts, and note who was trained beside whom and from which weights each began."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from tests.ray.noted import BEGAN, note_cohort
from trainers.loop import loop
from trainers.loop.loop import Failed, Stopped  # hosts ask for both
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Job
from trainers.schema.record import Record


class NotedTrainer(StudentTrainer):
    """Note the weights that a student has before its first step."""

    def __init__(self, job: Job, *others: Any, **options: Any) -> None:
        super().__init__(job, *others, **options)
        (Path(job.directory) / BEGAN).write_text(digest(self.student.state_dict()))


def train_together(
    jobs: Sequence[Job], active_trials: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[tuple[str, Record | Failed | Stopped]]:
    """Train as the real loop does: this is it."""
    note_cohort(jobs)
    loop.StudentTrainer = NotedTrainer  # type: ignore[misc, attr-defined]
    yield from loop.train_together(jobs, active_trials)


def digest(weights: Mapping[str, Tensor]) -> str:
    """Return what all names and bits of the weights make."""
    found = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        found.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return found.hexdigest()
