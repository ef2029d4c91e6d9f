"""Read one trial's records from the exchange, inside its Tune actor: no torch here."""

import uuid
from collections.abc import Iterator
from itertools import pairwise

import ray

from orchestrator.worker_groups.broker import Reply
from orchestrator.worker_groups.capacity import waited_for
from orchestrator.worker_groups.queue import Errors, Slot
from trainers.schema import Job
from trainers.schema.record import Record, read_history
from trainers.schema.sharing import stream_key

START_MARGIN_S = 60.0  # for workers that have their place to import and to find each other


class StartTimeout(Exception):
    """Report that nobody had begun to train the trial when its time was over."""


def exchanged_records(job: Job, exchange: str, position: int) -> Iterator[Record]:
    """Yield the trial's records: those on disk, then those that its worker group commits; closing it ends the training.

    Raises the error that made training fail.
    """
    history = read_history(job.directory)
    actor, ticket = ray.get_actor(exchange), uuid.uuid4().hex
    try:
        yield from history  # one that waits again after these is not on its way any more
        if history and history[-1].final:
            return
        after = history[-1].step if history else -1
        seat = Slot(job.trial_id, stream_key(job), position, job.model_dump_json(), after, 0.0, ticket)
        ray.get(actor.sit.remote(seat))
        patience_s = job.placement.start_timeout_s + START_MARGIN_S
        while (record := told(job, ray.get(actor.take.remote(job.trial_id, ticket, patience_s)))) is not None:
            yield record
    finally:
        actor.leave.remote(job.trial_id, ticket)


def told(job: Job, reply: Reply) -> Record | None:
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
