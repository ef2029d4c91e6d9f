"""Train inside a Ray Train worker group: one process of the group calls ``train_worker``."""

from typing import Any

import ray
import ray.train
from ray.util import get_current_placement_group

from trainers.spec import Job


def train_worker(config: dict[str, Any]) -> None:
    """Train the job in ``config`` on this worker; rank 0 sends every record to the mailbox.

    ``config`` holds ``job`` (JSON) and ``mailbox``, an actor with ``note_placement_group`` and ``put``. The process
    group is the one that Ray Train has made. Rank 0 waits for each record to arrive: a record that is not taken
    is not lost either, since it is on disk before it is sent.
    """
    from trainers.loop import train

    job = Job.model_validate_json(config["job"])
    rank = ray.train.get_context().get_world_rank()
    mailbox = config["mailbox"]
    if rank == 0:
        mailbox.note_placement_group.remote(get_current_placement_group())
    for _, record in train([job]):
        if rank == 0:
            ray.get(mailbox.put.remote(record))
