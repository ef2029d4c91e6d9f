"""Train inside a Ray Train worker group: one process of the group calls ``train_worker``."""

import time
from typing import Any

import ray
import ray.train
from mmengine.dist import broadcast_object_list
from ray.util import get_current_placement_group

from trainers.spec import Job
from trainers.spec.record import Record

POLL_S = 0.1


def train_worker(config: dict[str, Any]) -> None:
    """Train the job in ``config`` on this worker; rank 0 sends every record to the mailbox.

    ``config`` holds ``job`` (JSON) and ``mailbox``, an actor with ``note_placement_group``, ``put``, ``verdict`` and ``leave``.
    The process group is the one that Ray Train has made. After each record all workers wait until the reader wants
    another one, and end together when it does not. A record that is never taken is not lost: it is on disk before it
    is sent.
    """
    from trainers.loop import train

    job, mailbox = Job.model_validate_json(config["job"]), config["mailbox"]
    rank = ray.train.get_context().get_world_rank()
    if rank == 0:
        mailbox.note_placement_group.remote(get_current_placement_group())
    for _, record in train([job]):
        wanted = [rank == 0 and deliver(mailbox, record)]
        broadcast_object_list(wanted, src=0)
        if not wanted[0]:
            return
    if rank == 0:
        mailbox.leave.remote()  # to its end, or to where it was asked to stop


def deliver(mailbox: Any, record: Record) -> bool:
    """Send a record and return whether training goes on; a replayed record waits for nobody."""
    if not ray.get(mailbox.put.remote(record)):
        return True
    while (verdict := ray.get(mailbox.verdict.remote())) is None:
        time.sleep(POLL_S)
    return bool(verdict)
