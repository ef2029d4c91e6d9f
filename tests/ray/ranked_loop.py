"""Train for real in worker groups, note for each start on which node each rank was, and wait between epochs if told to."""

import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import ray
from mmengine.dist import all_gather_object, get_rank

from tests.ray.ranks import HOLD, RANKS
from trainers.loop import loop
from trainers.loop.loop import Failed, Stopped  # hosts ask for both
from trainers.schema import Job
from trainers.schema.record import Record, read_history


def train_together(
    jobs: Sequence[Job], active_trials: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[tuple[str, Record | Failed | Stopped]]:
    """Train as the real loop does: this is it. After a new epoch it waits while there is a file to hold it."""
    found = all_gather_object((ray.get_runtime_context().get_node_id(), os.getpid()))
    for job in jobs if get_rank() == 0 else ():
        Path(job.directory).mkdir(parents=True, exist_ok=True)
        with (Path(job.directory) / RANKS).open("a") as stream:
            stream.write(json.dumps(found) + "\n")
    known = {job.trial_id: len(read_history(job.directory)) for job in jobs}
    hold = Path(jobs[0].directory) / HOLD
    for trial_id, reported in loop.train_together(jobs, active_trials):
        yield trial_id, reported
        while isinstance(reported, Record) and reported.epoch > known[trial_id] and hold.exists():
            time.sleep(0.05)
