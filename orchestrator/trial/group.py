"""Run one trial on a Ray Train worker group, and hand its records over as they are committed."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util import remove_placement_group

from orchestrator.processes import end
from orchestrator.trial.cluster import what_there_is
from orchestrator.trial.mailbox import Mailbox
from orchestrator.trial.places import free_places
from orchestrator.trial.trainer import WORKER, make_trainer
from trainers.spec import Job
from trainers.spec.record import Record

POLL_S = 0.2
PATIENCE_S = 1.0  # for Ray's call to return once everything that it waits for is gone
START_MARGIN_S = 60.0  # for workers that have their place to import and to find each other


class StartTimeout(Exception):
    """Report that the workers had not started when their time was over."""


def worker_group_records(job: Job, worker: str = WORKER) -> Iterator[Record]:
    """Start a worker group for ``job`` and yield its records; closing the iterator ends the workers at once.

    What was yielded is on disk, and a group that saved its state because it was asked to stop ends the iterator. Raises
    what made training fail. Resources are freed when the iterator ends, however it ends.
    """
    free_places(job.trial_id)  # an attempt that was killed could not do that
    mailbox = Mailbox.remote()  # type: ignore[attr-defined]  # the decorator replaces the class
    fit = FitThread(job, mailbox, worker)
    fit.start()
    try:
        yield from _records(job, mailbox, fit)
    finally:
        release(mailbox, fit)
        free_places(job.trial_id)


def _records(job: Job, mailbox: Any, fit: "FitThread") -> Iterator[Record]:
    deadline = time.monotonic() + job.placement.start_timeout_s + START_MARGIN_S
    started = False
    while True:
        running = fit.is_alive()  # asked before the mailbox: what a group sent before it ended is there
        record, left = ray.get(mailbox.take.remote())
        if record is not None:
            yield record
        elif left or not running:
            break
        else:
            started = started or ray.get(mailbox.holdings.remote())[1] is not None
            if not started and time.monotonic() > deadline:
                raise StartTimeout(waited_for(job))
            fit.join(POLL_S)
    if not left:
        fit.raise_failure(job)


class FitThread(threading.Thread):
    """Run the trainer's ``fit`` beside the reader of its records."""

    def __init__(self, job: Job, mailbox: Any, worker: str) -> None:
        super().__init__(name=f"fit-{job.trial_id}", daemon=True)
        self._trainer = make_trainer(job, mailbox, worker)
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Train; a failure is kept for ``raise_failure``."""
        try:
            self._trainer.fit()
        except BaseException as error:  # noqa: BLE001  whatever it is, the reader must learn of it
            self._failure = error

    def raise_failure(self, job: Job) -> None:
        """Raise what ended the training, if anything did."""
        if self._failure is None:
            return
        if type(getattr(self._failure, "controller_failure", None)).__name__ == "WorkerGroupStartupTimeoutError":
            raise StartTimeout(waited_for(job)) from self._failure
        raise self._failure


def waited_for(job: Job) -> str:
    """Say in one sentence what a group wanted and what there is."""
    placement = job.placement
    wanted = f"{placement.workers} workers with {placement.threads} CPUs" + (
        f" and {placement.gpus:g} GPUs each" if placement.cuda else " each"
    )
    return f"not started after {placement.start_timeout_s:g} s: waited for {wanted}; {what_there_is()}"


def release(mailbox: Any, fit: FitThread) -> None:
    """End the workers and whoever directs them, and give back their places.

    Nothing is lost: records are on disk before they are sent, and workers that were asked to stop have saved their state
    before they say so. Without this Ray frees the placement group of a stopped trial only through its dashboard.
    """
    with contextlib.suppress(RayError):  # what is gone already need not be ended
        controller, group = ray.get(mailbox.holdings.remote())
        if group is not None:
            remove_placement_group(group)
        if controller is not None:
            ray.kill(controller[0])
            end(controller[1])  # Ray does not hurry one that has done its work; Ray Train keeps it on this machine
    ray.kill(mailbox)
    fit.join(PATIENCE_S)
