"""Read one trial's records from the broker, inside its Tune actor: no torch here."""

import uuid
from collections.abc import Iterator
from itertools import pairwise

import ray

from orchestrator.worker_groups.broker import Reply
from orchestrator.worker_groups.capacity import waited_for
from orchestrator.worker_groups.queue import Errors, Slot
from trainers.schema import Job
from trainers.schema.record import Record, read_history, read_outcome
from trainers.schema.sharing import stream_key

START_MARGIN_S = 60.0  # for workers that have their place to import and to find each other


class StartTimeout(Exception):
    """Report that no worker had begun to train the trial when its time was over."""


def record_stream(job: Job, broker: str, position: int) -> Iterator[Record]:
    """Yield the trial's records: those on disk, then those that its worker group commits; closing it ends the training.

    Raises the error that made training fail.
    """
    history = read_history(job.directory)
    if history and history[-1].final and read_outcome(job.directory) is None:
        del history[-1]  # its worker died behind the last record: the next one ends the trial and sends that again
    actor, lease_id = ray.get_actor(broker), uuid.uuid4().hex
    try:
        yield from history  # one that waits again after these is not on its way any more
        if history and history[-1].final:
            return
        after = history[-1].step if history else -1
        # The broker fills in the arrival time, because clocks of different nodes disagree.
        slot = Slot(job.trial_id, stream_key(job), position, job.model_dump_json(), after, 0.0, lease_id)
        ray.get(actor.enqueue.remote(slot))
        patience_s = job.placement.start_timeout_s + START_MARGIN_S
        while (record := record_of(job, ray.get(actor.take.remote(job.trial_id, lease_id, patience_s)))) is not None:
            yield record
    finally:  # not awaited: Tune kills a slow actor, and the broker may be gone
        actor.leave.remote(job.trial_id, lease_id)


def record_of(job: Job, reply: Reply) -> Record | None:
    """Return the record of a reply, ``None`` when the trial is over; raise its failure."""
    if reply.starved:
        raise StartTimeout(waited_for(job.placement))
    if reply.errors:
        raise linked(reply.errors)
    return reply.record


def linked(errors: Errors) -> BaseException:
    """Return a failure with its causes."""
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]
