"""Run one trial on a Ray Train worker group, and hand its records over as they are committed."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import ray
import ray.train
import ray.train.torch
from ray.exceptions import RayError
from ray.util import remove_placement_group

from trainers.spec import Job
from trainers.spec.record import Record

WORKER = "trainers.worker"
POLL_S = 0.2
PATIENCE_S = 15.0  # for workers to end after they were told to; Ray Train's own goodbye takes a few seconds of it
MAX_WORKER_FAILURES = 2  # lost workers per fit; training goes on from the trial's directory


@ray.remote(num_cpus=0)
class Mailbox:
    """Pass records from rank 0 to the trial's reader, and the reader's verdict back: go on, or stop.

    Workers wait after each record until the reader asks for the next one, as a generator in one process would: a trial
    that is stopped after an epoch has not begun another. A record that a restarted worker replays is dropped.
    """

    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._last_step = -1
        self._verdict: bool | None = True
        self._placement_group: Any = None

    def put(self, record: Record) -> bool:
        """Take a record; return whether it is new, so that its sender has to wait for the verdict."""
        if record.step <= self._last_step:
            return False
        self._last_step = record.step
        self._records.append(record)
        if self._verdict is not False:
            self._verdict = None
        return True

    def take(self) -> Record | None:
        """Return the oldest record not taken yet; ask for another one when there is none."""
        if self._records:
            return self._records.popleft()
        if self._verdict is None:
            self._verdict = True
        return None

    def verdict(self) -> bool | None:
        """Return whether workers go on (True) or stop (False); ``None`` while the reader has not decided."""
        return self._verdict

    def stop(self) -> None:
        """Tell workers to stop after the record that they are at."""
        self._verdict = False

    def note_placement_group(self, group: Any) -> None:
        """Remember where the workers are placed."""
        self._placement_group = group

    def placement_group(self) -> Any:
        """Return where the workers are placed, ``None`` before they have started."""
        return self._placement_group


def worker_group_records(job: Job) -> Iterator[Record]:
    """Start a ``TorchTrainer`` for ``job`` and yield its records; closing the iterator stops the workers.

    Raises what made training fail. Resources are freed when the iterator ends, however it ends.
    """
    mailbox = Mailbox.remote()  # type: ignore[attr-defined]  # the decorator replaces the class
    fit = FitThread(job, mailbox)
    fit.start()
    try:
        while (record := ray.get(mailbox.take.remote())) is not None or fit.is_alive():
            if record is not None:
                yield record
            else:
                fit.join(POLL_S)
        while (record := ray.get(mailbox.take.remote())) is not None:
            yield record
        fit.raise_failure()
    finally:
        release(mailbox, fit)


class FitThread(threading.Thread):
    """Run ``TorchTrainer.fit`` beside the reader of its records."""

    def __init__(self, job: Job, mailbox: Any) -> None:
        super().__init__(name=f"fit-{job.trial_id}", daemon=True)
        self._trainer = make_trainer(job, mailbox)
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Train; a failure is kept for ``raise_failure``."""
        try:
            self._trainer.fit()
        except BaseException as error:  # noqa: BLE001  whatever it is, the reader must learn of it
            self._failure = error

    def raise_failure(self) -> None:
        """Raise the workers' own error, if there was one, instead of Ray's wrapping of it."""
        if self._failure is not None:
            raise root_cause(self._failure)


def make_trainer(job: Job, mailbox: Any) -> Any:
    """Return the trainer of ``job``; its workers find the training function by name."""
    placement = job.placement
    per_worker = {"CPU": float(placement.threads), **({"GPU": placement.gpus} if placement.cuda else {})}
    return ray.train.torch.TorchTrainer(
        call_worker,
        train_loop_config={"job": job.model_dump_json(), "mailbox": mailbox},
        scaling_config=ray.train.ScalingConfig(
            num_workers=placement.workers, use_gpu=placement.cuda, resources_per_worker=per_worker
        ),
        run_config=ray.train.RunConfig(
            name=f"fit-{job.trial_id}",
            storage_path=f"{job.directory}/ray",
            failure_config=ray.train.FailureConfig(max_failures=MAX_WORKER_FAILURES),
        ),
        torch_config=ray.train.torch.TorchConfig(backend="nccl" if placement.cuda else "gloo"),
    )


def call_worker(config: dict[str, Any]) -> None:
    """Import the worker where it runs, so that this module needs no torch of its own."""
    from importlib import import_module

    import_module(WORKER).train_worker(config)


def root_cause(error: BaseException) -> BaseException:
    """Return the first error that a worker raised, out of Ray Train's nested ones."""
    failures = getattr(error, "worker_failures", None)
    if failures:
        return root_cause(next(iter(failures.values())))
    cause = getattr(error, "cause", None) or error.__cause__
    return root_cause(cause) if isinstance(cause, BaseException) and cause is not error else error


def release(mailbox: Any, fit: FitThread) -> None:
    """Let the workers end by themselves; take their placement group away when they do not.

    Workers that were told to stop leave at once when they wait for the verdict. In the midst of an epoch they do not
    hear it, and Ray without its dashboard would keep the group of a stopped trial for ever.
    """
    ray.get(mailbox.stop.remote())
    fit.join(PATIENCE_S)
    group = ray.get(mailbox.placement_group.remote())
    if fit.is_alive() and group is not None:
        with contextlib.suppress(RayError):  # already gone with its workers
            remove_placement_group(group)
    ray.kill(mailbox)
