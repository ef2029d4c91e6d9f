"""Stand for ``trainers.worker``: a worker of a group that follows its trial's script, without training anything."""

import json
import os
import time
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.util import get_current_placement_group

from tests.ray.scripted import SCRIPT, misbehave, record
from trainers.spec import Job
from trainers.spec.record import Outcome, Record, read_history, to_lines, write_outcome
from trainers.spec.stop import stop_requested


def train_worker(config: dict[str, Any]) -> None:
    """Send one record an epoch and wait for the verdict, as the real worker does."""
    job, mailbox = Job.model_validate_json(config["job"]), config["mailbox"]
    directory = Path(job.directory)
    script = json.loads((directory / SCRIPT).read_text())
    rank = ray.train.get_context().get_world_rank()
    (directory / f"pid-{rank}").write_text(str(os.getpid()))
    if rank == 0:
        mailbox.note_placement_group.remote(get_current_placement_group())
    history = read_history(directory) if rank == 0 else []
    for epoch in range(len(history) + 1, len(script["scores"]) + 1):
        if rank == 0:
            misbehave(directory, script, epoch)
            history.append(record(script["scores"], epoch))
            (directory / "history.jsonl").write_text(to_lines(history))
            if history[-1].final:
                write_outcome(directory, Outcome("finished"))
            if not delivered(mailbox, history[-1]):
                return
        if not worked(directory, mailbox, script.get("epoch_s", 0.0)):
            return


def delivered(mailbox: Any, sent: Record) -> bool:
    """Send a record and wait for the verdict, as the real worker does."""
    if not ray.get(mailbox.put.remote(sent)):
        return True
    while (verdict := ray.get(mailbox.verdict.remote())) is None:
        time.sleep(0.1)
    return bool(verdict)


def worked(directory: Path, mailbox: Any, seconds: float) -> bool:
    """Spend an epoch's time in short steps; leave between two of them when that is wanted."""
    ending = time.monotonic() + seconds
    while time.monotonic() < ending:
        if stop_requested(directory):
            mailbox.leave.remote()
            return False
        time.sleep(0.05)
    return True
